//! Pictures of two distributions, drawn into the page as SVG.
//!
//! Each is a few hundred bytes to a few kilobytes, needs no script, and follows the page's colours through
//! classes: `r` marks the reference, `c` the current sample. The two are told apart by shape as well as by
//! colour, and each picture has a title and a description for those who do not see it. Coordinates are rounded
//! to a tenth of a unit; what is not finite is left out.

mod bars;
mod plot;

pub use bars::{Bar, bars, gauge};
pub use plot::{Curves, Gap, Histogram, curves, histogram};

use super::html::Html;

/// The width of a picture in its own units; the page scales it.
pub const WIDTH: f64 = 360.0;

/// What a picture says to those who do not see it.
#[derive(Clone, Copy, Debug)]
pub struct Caption<'a> {
    /// An id that is unique in the page, of letters, digits and `-`.
    pub id: &'a str,
    /// Its name.
    pub title: &'a str,
    /// What can be seen.
    pub description: &'a str,
}

/// A picture `height` units high around what `inside` draws.
fn picture(html: &mut Html, caption: Caption<'_>, height: f64, inside: impl FnOnce(&mut Html)) {
    let (title, desc) = (format!("{}-t", caption.id), format!("{}-d", caption.id));
    let attributes = [
        ("class", "picture"),
        (
            "viewBox",
            &format!("0 0 {} {}", coordinate(WIDTH), coordinate(height)),
        ),
        ("role", "img"),
        ("aria-labelledby", &format!("{title} {desc}")),
    ];
    html.element("svg", &attributes, |html| {
        html.leaf("title", &[("id", &title)], caption.title);
        html.leaf("desc", &[("id", &desc)], caption.description);
        inside(html);
    });
}

/// A coordinate with one decimal.
fn coordinate(x: f64) -> String {
    let x = if x.is_finite() {
        x.clamp(-1e5, 1e5)
    } else {
        0.0
    };
    let text = format!("{:.1}", x + 0.0);
    match text.strip_suffix(".0") {
        Some("-0") => "0".into(),
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

fn line(html: &mut Html, class: &'static str, from: (f64, f64), to: (f64, f64)) {
    let attributes = [
        ("class", class),
        ("x1", &*coordinate(from.0)),
        ("y1", &coordinate(from.1)),
        ("x2", &coordinate(to.0)),
        ("y2", &coordinate(to.1)),
    ];
    html.void("line", &attributes);
}

fn rectangle(html: &mut Html, class: &'static str, at: (f64, f64), size: (f64, f64)) {
    let attributes = [
        ("class", class),
        ("x", &*coordinate(at.0)),
        ("y", &coordinate(at.1)),
        ("width", &coordinate(size.0.max(0.0))),
        ("height", &coordinate(size.1.max(0.0))),
    ];
    html.void("rect", &attributes);
}

fn label(html: &mut Html, class: &'static str, at: (f64, f64), text: &str) {
    let attributes = [
        ("class", class),
        ("x", &*coordinate(at.0)),
        ("y", &coordinate(at.1)),
    ];
    html.leaf("text", &attributes, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_short_and_finite() {
        assert_eq!(coordinate(12.04), "12");
        assert_eq!(coordinate(-0.01), "0");
        assert_eq!(coordinate(3.25), "3.2");
        assert_eq!(coordinate(f64::NAN), "0");
        assert_eq!(coordinate(f64::INFINITY), "0");
        assert_eq!(coordinate(1e300), "100000");
    }
}
