//! HTML that is well formed and escaped by construction.
//!
//! Elements are closures, so each is closed; every text and attribute goes through [`Escaped`]. The result is
//! also well-formed XML, which makes it easy to check.

use std::fmt::{self, Write as _};

/// The longest text that is shown in full, in bytes. A longer one is cut and marked with a hash.
pub const TEXT_BYTES_MAX: usize = 1_024;

/// A text that is safe between tags and in quoted attributes.
///
/// What HTML reads as more than text is escaped. Control characters, and those that hide text or turn its
/// direction, are shown as their code. What is longer than [`TEXT_BYTES_MAX`] is cut.
///
/// ```
/// use driftline::page::html::Escaped;
///
/// assert_eq!(Escaped("<a href='x'>\u{1b}[31m").to_string(), "&lt;a href=&#39;x&#39;&gt;\\u{1b}[31m");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in driftline_telemetry::short_text(self.0, TEXT_BYTES_MAX).chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // Two code points that XML does not allow at all.
                '\u{fffe}' | '\u{ffff}' => f.write_char('\u{fffd}')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Attributes of an element: names, and values that are escaped.
pub type Attributes<'a> = [(&'static str, &'a str)];

/// A document, or a part of one, being written.
#[derive(Clone, Debug, Default)]
pub struct Html {
    out: String,
}

impl Html {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The beginning of a document.
    pub(super) fn document() -> Self {
        Self {
            out: "<!DOCTYPE html>\n".into(),
        }
    }

    /// An element around what `inside` writes.
    pub fn element(
        &mut self,
        name: &'static str,
        attributes: &Attributes<'_>,
        inside: impl FnOnce(&mut Self),
    ) {
        self.open(name, attributes);
        self.out.push('>');
        inside(self);
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    /// An element around a text.
    pub fn leaf(&mut self, name: &'static str, attributes: &Attributes<'_>, text: &str) {
        self.element(name, attributes, |html| html.text(text));
    }

    /// An element without content, such as `meta` or an SVG shape.
    pub fn void(&mut self, name: &'static str, attributes: &Attributes<'_>) {
        self.open(name, attributes);
        self.out.push_str("/>");
    }

    /// A text.
    pub fn text(&mut self, text: &str) {
        // Writing to a string cannot fail.
        let _ = write!(self.out, "{}", Escaped(text));
    }

    /// A line break in the source, for those who read it.
    pub fn line(&mut self) {
        self.out.push('\n');
    }

    /// What was written.
    #[must_use]
    pub fn finish(self) -> String {
        self.out
    }

    pub(super) fn style(&mut self, css: &'static str) {
        self.out.push_str("<style>");
        self.out.push_str(css);
        self.out.push_str("</style>");
    }

    fn open(&mut self, name: &'static str, attributes: &Attributes<'_>) {
        self.out.push('<');
        self.out.push_str(name);
        for (key, value) in attributes {
            let _ = write!(self.out, " {key}=\"");
            // The path of a picture is longer than any text, and made of numbers by `svg`.
            if *key == "d" && value.bytes().all(is_of_path) {
                self.out.push_str(value);
            } else {
                self.text(value);
            }
            self.out.push('"');
        }
    }
}

fn is_of_path(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b' ' | b'.' | b',' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_close_and_texts_stay_texts() {
        let mut html = Html::new();
        html.element("p", &[("class", "a\"b")], |html| {
            html.text("1 < 2 & ");
            html.leaf("b", &[], "</b>");
            html.void("br", &[]);
        });
        let expected = "<p class=\"a&quot;b\">1 &lt; 2 &amp; <b>&lt;/b&gt;</b><br/></p>";
        assert_eq!(html.finish(), expected);
    }

    #[test]
    fn a_hostile_name_stays_text() {
        let name = "<script>alert('x')</script>\" onload=\"x\u{202e}&\0\u{ffff}";
        let shown = Escaped(name).to_string();
        let markup = ['<', '>', '"', '\'', '\0', '\u{202e}', '\u{ffff}'];
        assert!(!shown.contains(markup), "{shown}");
        let long = Escaped(&"x".repeat(100_000)).to_string();
        assert!(long.len() <= TEXT_BYTES_MAX, "{}", long.len());
    }
}
