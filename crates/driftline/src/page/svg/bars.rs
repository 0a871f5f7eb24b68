//! Bars: shares of categories side by side, and one value beside its floor.

use super::{Caption, WIDTH, label, line, picture, rectangle};
use crate::page::html::Html;
use crate::page::number::percent;

const NAME_WIDTH: f64 = 110.0;
const SHARE_WIDTH: f64 = 46.0;
const ROW: f64 = 27.0;
const NAME_CHARACTERS_MAX: usize = 17;

/// A category's share in both samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// The category's name.
    pub name: String,
    /// The reference's share, 0 to 1.
    pub reference: f64,
    /// The current sample's share, 0 to 1.
    pub current: f64,
    /// Whether the name stands for what is left over, not for a category.
    pub rest: bool,
}

/// Draws two bars for each category: the reference above, the current sample below.
pub fn bars(html: &mut Html, caption: Caption<'_>, bars: &[Bar]) {
    let longest = bars
        .iter()
        .map(|b| b.reference.max(b.current))
        .fold(1e-9, f64::max);
    let room = WIDTH - NAME_WIDTH - SHARE_WIDTH;
    let length = |share: f64| (share / longest).clamp(0.0, 1.0) * room;
    picture(html, caption, ROW * bars.len() as f64 + 6.0, |html| {
        for (i, bar) in bars.iter().enumerate() {
            let top = 3.0 + ROW * i as f64;
            let class = if bar.rest { "tick end" } else { "name end" };
            let name = shortened(&bar.name, NAME_CHARACTERS_MAX);
            label(html, class, (NAME_WIDTH - 7.0, top + 15.5), &name);
            let sides = [("r bar", bar.reference, 2.0), ("c bar", bar.current, 13.0)];
            for (class, share, below) in sides {
                rectangle(html, class, (NAME_WIDTH, top + below), (length(share), 9.0));
                let at = (NAME_WIDTH + length(share) + 4.0, top + below + 8.0);
                label(html, "tick", at, &percent(share));
            }
        }
        let bottom = 3.0 + ROW * bars.len() as f64;
        line(html, "axis", (NAME_WIDTH, 2.0), (NAME_WIDTH, bottom));
    });
}

/// Draws a value as a bar with a mark at its floor, both as shares of `full`. It has no text: the numbers
/// stand beside it.
pub fn gauge(html: &mut Html, value: f64, floor: Option<f64>, full: f64) {
    const LENGTH: f64 = 96.0;
    let at = |x: f64| {
        if full > 0.0 {
            (x / full).clamp(0.0, 1.0) * LENGTH
        } else {
            0.0
        }
    };
    let attributes = [
        ("class", "gauge"),
        ("viewBox", "0 0 100 14"),
        ("aria-hidden", "true"),
    ];
    html.element("svg", &attributes, |html| {
        rectangle(html, "track", (0.0, 5.0), (LENGTH, 4.0));
        rectangle(html, "value", (0.0, 3.0), (at(value), 8.0));
        if let Some(floor) = floor {
            line(html, "floor", (at(floor), 0.0), (at(floor), 14.0));
        }
    });
}

/// The first characters of a name that is longer than `characters_max`, with an ellipsis.
fn shortened(name: &str, characters_max: usize) -> String {
    if name.chars().count() <= characters_max {
        return name.to_owned();
    }
    let mut text: String = name.chars().take(characters_max - 1).collect();
    text.push('…');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shortened_and_escaped() {
        let mut html = Html::new();
        let bar = |name: &str| Bar {
            name: name.into(),
            reference: 0.5,
            current: 0.25,
            rest: false,
        };
        let caption = Caption {
            id: "c1",
            title: "x",
            description: "d",
        };
        bars(&mut html, caption, &[bar("<b>"), bar(&"n".repeat(100))]);
        let text = html.finish();
        assert!(text.contains(">&lt;b&gt;</text>"), "{text}");
        assert!(
            text.contains(&format!(">{}…</text>", "n".repeat(16))),
            "{text}"
        );
        assert!(
            text.contains("width=\"204\"") && text.contains("width=\"102\""),
            "{text}"
        );
    }

    #[test]
    fn a_gauge_stays_in_its_box() {
        for (value, floor, full) in [
            (f64::MAX, 1.0, 1.0),
            (f64::NAN, f64::NAN, 0.0),
            (-1.0, 2.0, 1.0),
        ] {
            let mut html = Html::new();
            gauge(&mut html, value, Some(floor), full);
            let text = html.finish();
            assert!(!text.contains("NaN") && !text.contains("100000"), "{text}");
        }
    }
}
