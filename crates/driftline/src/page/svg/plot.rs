//! Pictures over an axis of numbers.

use std::fmt::Write as _;

use super::{Caption, WIDTH, coordinate, label, line, picture};
use crate::page::html::Html;
use crate::page::number::{percent, ticks};

const HEIGHT: f64 = 168.0;
const LEFT: f64 = 40.0;
const RIGHT: f64 = WIDTH - 8.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = HEIGHT - 22.0;

/// Shares of both samples in the same bins: the reference as an area, the current sample as a line.
#[derive(Clone, Copy, Debug)]
pub struct Histogram<'a> {
    /// The bins' edges, ascending and finite, one more than there are bins.
    pub edges: &'a [f64],
    /// The reference's share in each bin.
    pub reference: &'a [f64],
    /// The current sample's share in each bin.
    pub current: &'a [f64],
}

/// Both cumulative distributions as step lines, dashed for the reference.
#[derive(Clone, Copy, Debug)]
pub struct Curves<'a> {
    /// Where the curves are known, ascending and finite.
    pub at: &'a [f64],
    /// The reference's share of values up to there.
    pub reference: &'a [f64],
    /// The current sample's share of values up to there.
    pub current: &'a [f64],
    /// Where they are furthest apart.
    pub gap: Option<Gap>,
}

/// Where two cumulative distributions are furthest apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gap {
    /// The value.
    pub at: f64,
    /// The reference's share of values up to there.
    pub reference: f64,
    /// The current sample's share of values up to there.
    pub current: f64,
}

/// A linear map from values to units of the picture.
#[derive(Clone, Copy)]
struct Scale {
    low: f64,
    per_unit: f64,
    origin: f64,
}

impl Scale {
    fn new((low, high): (f64, f64), (from, to): (f64, f64)) -> Self {
        let span = high - low;
        let per_unit = if span > 0.0 { (to - from) / span } else { 0.0 };
        Self {
            low,
            per_unit,
            origin: from,
        }
    }

    fn at(self, x: f64) -> f64 {
        self.origin + (x - self.low) * self.per_unit
    }
}

/// Draws a histogram; nothing when it has no bins or a range that a double cannot hold.
pub fn histogram(html: &mut Html, caption: Caption<'_>, chart: Histogram<'_>) {
    let (Some(&low), Some(&high)) = (chart.edges.first(), chart.edges.last()) else {
        return;
    };
    if !(high - low).is_finite() || high <= low {
        return;
    }
    let shares = chart.reference.iter().chain(chart.current);
    let top = shares.copied().fold(0.0, f64::max).max(1e-9) * 1.05;
    let (x, y) = (
        Scale::new((low, high), (LEFT, RIGHT)),
        Scale::new((0.0, top), (BOTTOM, TOP)),
    );
    picture(html, caption, HEIGHT, |html| {
        share_axis(html, y, top, 3);
        let mut area = format!("M{} {}", coordinate(x.at(low)), coordinate(BOTTOM));
        steps(&mut area, chart.edges, chart.reference, x, y);
        let _ = write!(area, "V{}Z", coordinate(BOTTOM));
        html.void("path", &[("class", "r area"), ("d", &area)]);
        let mut outline = format!("M{} {}", coordinate(x.at(low)), coordinate(BOTTOM));
        steps(&mut outline, chart.edges, chart.current, x, y);
        let _ = write!(outline, "V{}", coordinate(BOTTOM));
        html.void("path", &[("class", "c line"), ("d", &outline)]);
        value_axis(html, x, (low, high));
    });
}

/// Draws both cumulative distributions, and where they are furthest apart.
pub fn curves(html: &mut Html, caption: Caption<'_>, chart: Curves<'_>) {
    let (Some(&low), Some(&high)) = (chart.at.first(), chart.at.last()) else {
        return;
    };
    if !(high - low).is_finite() || high <= low {
        return;
    }
    let (x, y) = (
        Scale::new((low, high), (LEFT, RIGHT)),
        Scale::new((0.0, 1.0), (BOTTOM, TOP)),
    );
    picture(html, caption, HEIGHT, |html| {
        share_axis(html, y, 1.0, 3);
        for (class, shares) in [("r dash", chart.reference), ("c line", chart.current)] {
            let mut path = String::new();
            for (i, (&at, &share)) in chart.at.iter().zip(shares).enumerate() {
                let (at, share) = (coordinate(x.at(at)), coordinate(y.at(share)));
                let _ = if i == 0 {
                    write!(path, "M{at} {share}")
                } else {
                    write!(path, "H{at}V{share}")
                };
            }
            html.void("path", &[("class", class), ("d", &path)]);
        }
        if let Some(gap) = chart.gap.filter(|gap| (low..=high).contains(&gap.at)) {
            draw_gap(html, x, y, gap);
        }
        value_axis(html, x, (low, high));
    });
}

fn draw_gap(html: &mut Html, x: Scale, y: Scale, gap: Gap) {
    let at = x.at(gap.at);
    let (from, to) = (y.at(gap.reference), y.at(gap.current));
    line(html, "gap", (at, from), (at, to));
    let middle = f64::midpoint(from, to) + 4.0;
    let text = percent((gap.current - gap.reference).abs());
    // On the side with more room; the curves rise, so the free corner is not always there.
    if at > f64::midpoint(LEFT, RIGHT) {
        label(html, "note end", (at - 5.0, middle), &text);
    } else {
        label(html, "note", (at + 5.0, middle), &text);
    }
}

/// One step per bin: up or down at its lower edge, then along.
fn steps(path: &mut String, edges: &[f64], shares: &[f64], x: Scale, y: Scale) {
    let mut height = String::new();
    let mut pending: Option<String> = None;
    for (&upper, &share) in edges.iter().skip(1).zip(shares) {
        let next = coordinate(y.at(share));
        if next != height {
            // Bins of the same height are one step.
            if let Some(end) = pending.take() {
                let _ = write!(path, "H{end}");
            }
            let _ = write!(path, "V{next}");
            height = next;
        }
        pending = Some(coordinate(x.at(upper)));
    }
    if let Some(end) = pending {
        let _ = write!(path, "H{end}");
    }
}

fn share_axis(html: &mut Html, y: Scale, top: f64, ticks_max: usize) {
    for (share, _) in ticks(0.0, top, ticks_max) {
        let at = y.at(share);
        if share > 0.0 {
            line(html, "grid", (LEFT, at), (RIGHT, at));
        }
        label(html, "tick end", (LEFT - 5.0, at + 3.5), &share_text(share));
    }
}

/// A round share without decimals that say nothing.
fn share_text(share: f64) -> String {
    let p = share * 100.0;
    let decimals = if (p - p.round()).abs() < 1e-6 {
        0
    } else if (p * 10.0 - (p * 10.0).round()).abs() < 1e-6 {
        1
    } else {
        2
    };
    format!("{p:.decimals$} %")
}

fn value_axis(html: &mut Html, x: Scale, (low, high): (f64, f64)) {
    line(html, "axis", (LEFT, BOTTOM), (RIGHT, BOTTOM));
    for (value, text) in ticks(low, high, 6) {
        let at = x.at(value);
        line(html, "axis", (at, BOTTOM), (at, BOTTOM + 3.0));
        // A text at the edge would be cut.
        let half = text.chars().count() as f64 * 3.2;
        let middle = at.clamp(half.min(LEFT), WIDTH - half.min(LEFT) - 1.0);
        label(html, "tick middle", (middle, BOTTOM + 15.0), &text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPTION: Caption<'static> = Caption {
        id: "c1",
        title: "x",
        description: "an example",
    };

    #[test]
    fn a_histogram_has_an_area_and_a_line() {
        let mut html = Html::new();
        let chart = Histogram {
            edges: &[0.0, 1.0, 2.0, 3.0],
            reference: &[0.5, 0.5, 0.0],
            current: &[0.0, 0.5, 0.5],
        };
        histogram(&mut html, CAPTION, chart);
        let text = html.finish();
        assert!(
            text.starts_with("<svg class=\"picture\" viewBox=\"0 0 360 168\" role=\"img\""),
            "{text}"
        );
        // Two bins of the same height are one step.
        assert!(
            text.contains("d=\"M40 146V14.6H248V146H352V146Z\""),
            "{text}"
        );
        assert!(text.contains("class=\"c line\""), "{text}");
    }

    #[test]
    fn nothing_is_drawn_of_what_has_no_width() {
        for edges in [
            &[][..],
            &[1.0],
            &[1.0, 1.0],
            &[f64::MIN, f64::MAX],
            &[f64::NAN, 1.0],
        ] {
            let mut html = Html::new();
            let chart = Histogram {
                edges,
                reference: &[1.0],
                current: &[1.0],
            };
            histogram(&mut html, CAPTION, chart);
            let chart = Curves {
                at: edges,
                reference: &[1.0],
                current: &[1.0],
                gap: None,
            };
            curves(&mut html, CAPTION, chart);
            assert_eq!(html.finish(), "", "{edges:?}");
        }
    }

    #[test]
    fn the_gap_is_marked() {
        let mut html = Html::new();
        let gap = Gap {
            at: 1.0,
            reference: 0.25,
            current: 0.75,
        };
        let chart = Curves {
            at: &[0.0, 1.0, 2.0],
            reference: &[0.0, 0.25, 1.0],
            current: &[0.5, 0.75, 1.0],
            gap: Some(gap),
        };
        curves(&mut html, CAPTION, chart);
        let text = html.finish();
        assert!(
            text.contains("class=\"gap\"") && text.contains("50.0 %"),
            "{text}"
        );
    }
}
