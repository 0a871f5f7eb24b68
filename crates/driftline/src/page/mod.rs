//! Self-contained pages: one HTML file with its style and its pictures inside, which asks no server for anything.
//!
//! [`html`] writes HTML that is well formed and escaped by construction, [`svg`] draws pictures into it, and
//! [`Page`] is the frame that every page shares: head, style, and a content policy that forbids scripts and
//! requests. Nothing here knows what is shown; the same input gives the same bytes.
//!
//! ```
//! use driftline::page::Page;
//!
//! let page = Page { title: "Report", description: "An example" };
//! let text = page.render(|body| body.leaf("h1", &[], "1 < 2"));
//! assert!(text.starts_with("<!DOCTYPE html>") && text.contains("<h1>1 &lt; 2</h1>"));
//! ```

pub mod html;
pub mod number;
pub mod svg;

use html::Html;

const STYLE: &str = include_str!("style.css");

/// No script and no request: what a hostile column name could ask for would not be done.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The frame of a page.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The document's title.
    pub title: &'a str,
    /// What it is about, in a sentence.
    pub description: &'a str,
}

impl Page<'_> {
    /// The whole document around the body that `body` writes.
    pub fn render(&self, body: impl FnOnce(&mut Html)) -> String {
        let mut html = Html::document();
        html.element("html", &[("lang", "en")], |html| {
            html.element("head", &[], |html| self.head(html));
            html.line();
            html.element("body", &[], body);
        });
        html.line();
        html.finish()
    }

    fn head(&self, html: &mut Html) {
        html.void("meta", &[("charset", "utf-8")]);
        let policy = [
            ("http-equiv", "Content-Security-Policy"),
            ("content", POLICY),
        ];
        html.void("meta", &policy);
        let viewport = [
            ("name", "viewport"),
            ("content", "width=device-width, initial-scale=1"),
        ];
        html.void("meta", &viewport);
        let scheme = [("name", "color-scheme"), ("content", "light dark")];
        html.void("meta", &scheme);
        let description = [("name", "description"), ("content", self.description)];
        html.void("meta", &description);
        html.leaf("title", &[], self.title);
        html.style(STYLE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_asks_for_nothing() {
        let text = Page {
            title: "<b>",
            description: "\"quoted\"",
        }
        .render(|body| body.text("x"));
        assert!(text.contains("<title>&lt;b&gt;</title>"), "{text}");
        assert!(text.contains("content=\"&quot;quoted&quot;\""), "{text}");
        for forbidden in ["http:", "https:", "url(", "@import", "<script", "<link"] {
            assert!(!text.contains(forbidden), "{forbidden}");
        }
        // The style stands in the document as it is.
        assert!(!STYLE.contains('<'));
    }
}
