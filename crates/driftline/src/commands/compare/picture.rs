//! What the page draws of a column: bins for numbers, bars for categories.

use super::column::Categories;
use super::numbers::{Numbers, quantile, share_up_to};
use crate::page::svg::Bar;

/// Bins of a histogram.
const BINS_MAX: usize = 36;
const BINS_MIN: usize = 8;
/// Points of a cumulative curve.
const POINTS: usize = 72;
/// Categories with bars of their own.
const BARS_MAX: usize = 10;
/// Distinct values up to which each has a bin of its own.
const DISTINCT_MAX: usize = 30;

/// Both sides of a numeric column over the same bins, and their cumulative shares.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Shape {
    pub(super) edges: Vec<f64>,
    pub(super) reference: Vec<f64>,
    pub(super) current: Vec<f64>,
    pub(super) points: Vec<f64>,
    pub(super) reference_below: Vec<f64>,
    pub(super) current_below: Vec<f64>,
    /// Shares of the reference and of the current sample that lie outside the picture.
    pub(super) outside: (f64, f64),
}

/// The shape of a numeric column; none when a side is empty or all values are the same.
pub(super) fn shape(numbers: &Numbers) -> Option<Shape> {
    let (low, high) = range(numbers)?;
    let edges = edges(numbers, low, high);
    let (first, last) = (*edges.first()?, *edges.last()?);
    if !(last - first).is_finite() || last <= first {
        return None;
    }
    let points: Vec<f64> = (0..=POINTS)
        .map(|i| first + (last - first) * i as f64 / POINTS as f64)
        .collect();
    let below =
        |side: &[f64]| -> Vec<f64> { points.iter().map(|x| share_up_to(side, *x)).collect() };
    let outside = |side: &[f64]| {
        let inside: f64 = bin_shares(side, &edges).iter().sum();
        (1.0 - inside).max(0.0)
    };
    Some(Shape {
        reference: bin_shares(&numbers.reference, &edges),
        current: bin_shares(&numbers.current, &edges),
        reference_below: below(&numbers.reference),
        current_below: below(&numbers.current),
        outside: (outside(&numbers.reference), outside(&numbers.current)),
        points,
        edges,
    })
}

/// From the lower 0.5 % of either side to the upper 0.5 %: a single far value must not squeeze the rest.
fn range(numbers: &Numbers) -> Option<(f64, f64)> {
    let of = |side: &[f64]| -> Option<(f64, f64)> {
        let from = side.partition_point(|x| *x == f64::NEG_INFINITY);
        let to = side.partition_point(|x| *x < f64::INFINITY);
        let finite = side.get(from..to)?;
        Some((quantile(finite, 0.005)?, quantile(finite, 0.995)?))
    };
    let (a, b) = (of(&numbers.reference)?, of(&numbers.current)?);
    let (low, high) = (a.0.min(b.0), a.1.max(b.1));
    if low < high {
        return Some((low, high));
    }
    // All but a few values are the same: show those few.
    let ends = |side: &[f64]| Some((quantile(side, 0.0)?, quantile(side, 1.0)?));
    let (a, b) = (ends(&numbers.reference)?, ends(&numbers.current)?);
    let (low, high) = (a.0.min(b.0), a.1.max(b.1));
    (low < high).then_some((low, high))
}

/// Edges of equal bins. Where values come in steps, as whole numbers do, a bin holds whole steps, and its edges
/// lie between them: otherwise some bins would hold more steps than others and the picture would be a comb.
fn edges(numbers: &Numbers, low: f64, high: f64) -> Vec<f64> {
    let smaller = numbers.reference.len().min(numbers.current.len()) as f64;
    // Rice's rule, on the smaller side.
    let wanted = (2.0 * smaller.cbrt()).clamp(BINS_MIN as f64, BINS_MAX as f64);
    let (start, width, bins) = match step(numbers, low, high) {
        Some(step) => {
            let steps = ((high - low) / step).round() + 1.0;
            let wanted = if steps <= DISTINCT_MAX as f64 {
                steps
            } else {
                wanted
            };
            let each = (steps / wanted).ceil().max(1.0);
            (low - step / 2.0, each * step, (steps / each).ceil())
        }
        None => (low, (high - low) / wanted.floor(), wanted.floor()),
    };
    (0..=bins as usize)
        .map(|i| start + width * i as f64)
        .collect()
}

/// Distinct values up to which their smallest gap is tried as a step.
const GAPS_MAX: usize = 2_000;

/// The step on which all shown values lie, if there is one: a round one, or the smallest gap between two values, as
/// in a column that was converted from other units.
fn step(numbers: &Numbers, low: f64, high: f64) -> Option<f64> {
    let distinct: Vec<f64> = numbers
        .counts()
        .map(|(value, _, _)| value)
        .filter(|x| (low..=high).contains(x))
        .collect();
    // Relative to the first, so that an offset does not matter.
    let fits = |step: f64, error: f64| {
        distinct.iter().all(|x| {
            let steps = (x - low) / step;
            (steps - steps.round()).abs() < error && steps < 1e9
        })
    };
    let round = [1000.0, 100.0, 10.0, 5.0, 1.0, 0.5, 0.1, 0.05, 0.01]
        .into_iter()
        .find(|step| *step <= high - low && fits(*step, 1e-6));
    let smallest = || {
        let gaps = distinct.windows(2).map(|pair| pair[1] - pair[0]);
        let gap = gaps
            .reduce(f64::min)
            .filter(|_| distinct.len() <= GAPS_MAX)?;
        // Values that were rounded after the conversion are a little off the grid.
        fits(gap, 0.05).then_some(gap)
    };
    round.or_else(smallest)
}

/// The share of `sorted` in each bin `[edge, next)`; the last holds its upper edge too.
fn bin_shares(sorted: &[f64], edges: &[f64]) -> Vec<f64> {
    let n = sorted.len().max(1) as f64;
    let last = edges.len().saturating_sub(1);
    let cut = |i: usize| {
        let edge = edges[i];
        if i == last {
            sorted.partition_point(|x| *x <= edge)
        } else {
            sorted.partition_point(|x| *x < edge)
        }
    };
    (0..last)
        .map(|i| (cut(i + 1) - cut(i)) as f64 / n)
        .collect()
}

/// The largest categories of either side, in the order of the reference, and one bar for the rest.
pub(super) fn category_bars(categories: &Categories) -> Vec<Bar> {
    let mut shares: Vec<(usize, &str, f64, f64)> = categories
        .shares()
        .enumerate()
        .map(|(i, (name, p, q))| (i, name, p, q))
        .collect();
    let rest = if shares.len() > BARS_MAX {
        shares.sort_by(|a, b| b.2.max(b.3).total_cmp(&a.2.max(a.3)).then(a.0.cmp(&b.0)));
        shares.split_off(BARS_MAX - 1)
    } else {
        Vec::new()
    };
    shares.sort_by_key(|s| s.0);
    let mut bars: Vec<Bar> = shares
        .into_iter()
        .map(|(_, name, reference, current)| Bar {
            name: name.to_owned(),
            reference,
            current,
            rest: false,
        })
        .collect();
    if !rest.is_empty() {
        bars.push(Bar {
            name: format!("{} others", rest.len()),
            reference: rest.iter().map(|r| r.2).sum(),
            current: rest.iter().map(|r| r.3).sum(),
            rest: true,
        });
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape_of(reference: &[f64], current: &[f64]) -> Option<Shape> {
        shape(&Numbers::new(reference, current))
    }

    #[test]
    fn whole_numbers_have_bins_of_their_own() {
        let hours: Vec<f64> = (0..1000).map(|i| f64::from(5 + i % 19)).collect();
        let shape = shape_of(&hours, &hours).expect("there is something to draw");
        assert_eq!(shape.reference.len(), 19);
        assert_eq!((shape.edges[0], shape.edges[1]), (4.5, 5.5));
        assert!(
            shape
                .reference
                .iter()
                .all(|s| (s - 1.0 / 19.0).abs() < 2e-3)
        );
        assert_eq!(shape.outside, (0.0, 0.0));
    }

    #[test]
    fn many_steps_share_bins_evenly() {
        let values: Vec<f64> = (0..1000).map(f64::from).collect();
        let shape = shape_of(&values, &values).expect("there is something to draw");
        let width = shape.edges[1] - shape.edges[0];
        assert_eq!(width.fract(), 0.0);
        assert!(shape.reference.len() <= BINS_MAX);
    }

    #[test]
    fn converted_units_keep_their_step() {
        let knots: Vec<f64> = (0..500).map(|i| f64::from(i % 40) * 1.150_78).collect();
        let shape = shape_of(&knots, &knots).expect("there is something to draw");
        // The last bin may hold fewer steps.
        let (least, most) = shape
            .reference
            .iter()
            .rev()
            .skip(1)
            .fold((1.0_f64, 0.0_f64), |(a, b), s| (a.min(*s), b.max(*s)));
        assert!(most < least * 1.5, "a comb: {:?}", shape.reference);
    }

    #[test]
    fn far_values_do_not_squeeze_the_picture() {
        let mut values: Vec<f64> = (0..1000).map(|i| f64::from(i) * 0.001_234).collect();
        values.push(1e12);
        values.push(f64::INFINITY);
        let shape = shape_of(&values, &values).expect("there is something to draw");
        assert!(shape.edges.last() < Some(&2.0));
        assert!(shape.outside.0 > 0.0 && shape.outside.0 < 0.02);
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert_eq!(shape_of(&[], &[1.0]), None);
        assert_eq!(shape_of(&[1.0], &[1.0]), None);
        assert_eq!(shape_of(&[f64::INFINITY], &[1.0, 2.0]), None);
        assert_eq!(shape_of(&[f64::MIN], &[f64::MAX]), None);
        assert!(shape_of(&[1.0; 500], &[1.0, 2.0]).is_some());
    }
}
