//! A feature's traffic: what its values are, minute by minute, counted in the bins of its reference.
//!
//! Events come as a Poisson stream. Given its minute, a value is normal with that minute's mean; the counts of
//! the bins are then independent Poisson numbers, which is how busy minutes are drawn without drawing each event.
//! Where users are bursty, they are the Poisson stream, and each sends several events of the same value: three, or a
//! geometric number with a mean of two. Both make the counts' variance three times that of independent events.

use driftline_event::ColumnRole;
use driftline_sketch::{
    ColumnProfile, NumericProfile, NumericSummary, ProfileOptions, ReferenceBuilder,
};

use crate::rng::{Mean, Poisson, Rng};

/// The grid of means on which probabilities are tabulated, in standard deviations.
const GRID: f64 = 0.001;

/// From how many events a minute on bins are drawn instead of events.
const BUSY: f64 = 150.0;

/// The law of one value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Law {
    pub(crate) mean: f64,
    pub(crate) scale: f64,
    /// The share of values that are the constant [`SPIKE_AT`] instead.
    pub(crate) spike: f64,
}

/// How many events of the same value a user sends at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bursts {
    /// One: events are independent.
    None,
    /// Three.
    Triples,
    /// One, two, three, … with probabilities ½, ¼, ⅛, …
    Geometric,
}

impl Bursts {
    fn mean(self) -> f64 {
        match self {
            Self::None => 1.0,
            Self::Triples => 3.0,
            Self::Geometric => 2.0,
        }
    }
}

/// Where a spike is: inside of a bin, off the middle.
pub(crate) const SPIKE_AT: f64 = 0.3;

impl Law {
    pub(crate) const STANDARD: Self = Self {
        mean: 0.0,
        scale: 1.0,
        spike: 0.0,
    };

    pub(crate) fn at(mean: f64) -> Self {
        Self {
            mean,
            ..Self::STANDARD
        }
    }

    pub(crate) fn draw(&self, rng: &mut Rng) -> f64 {
        if self.spike > 0.0 && rng.unit() < self.spike {
            return SPIKE_AT;
        }
        self.mean + self.scale * rng.normal()
    }

    fn below(&self, x: f64) -> f64 {
        let normal = 0.5 * libm::erfc((self.mean - x) / (self.scale * std::f64::consts::SQRT_2));
        (1.0 - self.spike) * normal + if SPIKE_AT <= x { self.spike } else { 0.0 }
    }
}

/// The cuts of one feature by its own reference.
pub(crate) fn profile(values: Vec<f64>) -> NumericProfile {
    let mut builder = ReferenceBuilder::new("quiet", "1", ProfileOptions::default());
    builder
        .numeric("x", ColumnRole::Feature, values)
        .expect("one column under default options");
    let profile = builder.build().expect("default options are in bounds");
    let column = profile
        .columns
        .into_iter()
        .next()
        .expect("one column was given");
    match column.profile {
        ColumnProfile::Numeric(profile) => profile,
        _ => unreachable!("the column was given as numbers"),
    }
}

/// What one law gives in one minute.
#[derive(Debug)]
struct Row {
    law: Law,
    means: Vec<Mean>,
    /// Cumulative shares of the cells.
    cumulative: Vec<f64>,
}

/// Draws the counts of minutes.
#[derive(Debug)]
pub(crate) struct Counter<'a> {
    poisson: &'a Poisson,
    /// Users a minute, who are the events where nobody is bursty.
    users: f64,
    bursts: Bursts,
    regular: bool,
    /// Upper bounds of the cells: the bins, the outer ones cut once more at the reference's extremes.
    bounds: Vec<f64>,
    bins: usize,
    rows: Vec<Option<Box<Row>>>,
    odd: Option<Box<Row>>,
    cells: Vec<u64>,
}

impl<'a> Counter<'a> {
    pub(crate) fn new(
        poisson: &'a Poisson,
        profile: &NumericProfile,
        rate: f64,
        bursts: Bursts,
    ) -> Self {
        let cuts = profile.upper_bounds();
        let inner = &cuts[..cuts.len() - 1];
        // Values below the minimum are strictly below it.
        let mut bounds = vec![profile.minimum().next_down()];
        bounds.extend(inner);
        bounds.extend([profile.maximum(), f64::INFINITY]);
        assert!(
            bounds.is_sorted(),
            "cuts lie between the reference's extremes"
        );
        Self {
            poisson,
            users: rate / bursts.mean(),
            bursts,
            regular: false,
            cells: vec![0; bounds.len()],
            bounds,
            bins: cuts.len(),
            rows: Vec::new(),
            odd: None,
        }
    }

    /// Lets as many users come in every minute as come on average, a whole number.
    pub(crate) fn regular(self) -> Self {
        Self {
            regular: true,
            ..self
        }
    }

    /// Counts one minute of events of this law into `into`, whose previous content is dropped.
    ///
    /// The moments are not counted, for no rule here reads them.
    pub(crate) fn minute(&mut self, rng: &mut Rng, law: Law, into: &mut NumericSummary) {
        let mut cells = std::mem::take(&mut self.cells);
        let (poisson, users, bursts) = (self.poisson, self.users, self.bursts);
        let regular = self.regular;
        let row = self.row(law);
        cells.fill(0);
        if users >= BUSY && !regular {
            for (cell, mean) in cells.iter_mut().zip(&row.means) {
                *cell = poisson.draw(rng, *mean);
            }
        } else {
            let users = if regular {
                users as u64
            } else {
                poisson.draw(rng, Mean::new(users))
            };
            for _ in 0..users {
                let u = rng.unit();
                let cell = row.cumulative.partition_point(|share| *share < u);
                cells[cell.min(row.means.len() - 1)] += 1;
            }
        }
        for users in cells.iter_mut().filter(|users| **users > 0) {
            *users = match bursts {
                Bursts::None => *users,
                Bursts::Triples => 3 * *users,
                Bursts::Geometric => rng.geometric_sum(*users),
            };
        }
        let last = cells.len() - 1;
        into.counts.clear();
        into.counts.extend_from_slice(&cells[1..last]);
        into.counts[0] += cells[0];
        into.counts[self.bins - 1] += cells[last];
        (into.below_min, into.above_max) = (cells[0], cells[last]);
        self.cells = cells;
    }

    /// The row of a law; those of plain normal values are kept, on a grid of their means.
    fn row(&mut self, law: Law) -> &Row {
        let (scale, spike) = (law.scale, law.spike);
        if (Law {
            mean: 0.0,
            scale,
            spike,
        }) != Law::STANDARD
        {
            if self.odd.as_ref().is_none_or(|row| row.law != law) {
                self.odd = Some(Box::new(self.tabulate(law)));
            }
            return self.odd.as_ref().expect("set above");
        }
        let place = (law.mean / GRID).round();
        // Interleaves negative and positive places, so that the index starts at zero.
        let index = if place < 0.0 {
            (-2.0 * place) as usize - 1
        } else {
            (2.0 * place) as usize
        };
        if self.rows.len() <= index {
            self.rows.resize_with(index + 1, || None);
        }
        if self.rows[index].is_none() {
            self.rows[index] = Some(Box::new(self.tabulate(Law::at(place * GRID))));
        }
        self.rows[index].as_ref().expect("set above")
    }

    fn tabulate(&self, law: Law) -> Row {
        let mut cumulative: Vec<f64> = self.bounds.iter().map(|x| law.below(*x)).collect();
        *cumulative.last_mut().expect("there is a last cell") = 1.0;
        let mut before = 0.0;
        let means = cumulative
            .iter()
            .map(|share| {
                let mass = (share - before).max(0.0);
                before = *share;
                Mean::new(self.users * mass)
            })
            .collect();
        Row {
            law,
            means,
            cumulative,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts of minutes drawn by bins are those of events drawn one by one.
    #[test]
    fn bins_are_drawn_as_events_would_be() {
        let mut rng = Rng::new(3, 0);
        let reference = profile((0..20_000).map(|_| rng.normal()).collect());
        let poisson = Poisson::new();
        let shifted = Law {
            mean: 0.2,
            scale: 1.1,
            spike: 0.05,
        };
        for (rate, bursts, law) in [
            (1_000.0, Bursts::None, Law::at(0.1)),
            (1_000.0, Bursts::Geometric, Law::at(-0.3)),
            (20.0, Bursts::None, shifted),
            (20.0, Bursts::Triples, Law::at(0.1)),
        ] {
            let mut counter = Counter::new(&poisson, &reference, rate, bursts);
            let (mut minute, mut sum) = (reference.empty_summary(), reference.empty_summary());
            let mut squares = 0.0;
            let minutes = (400_000.0 / rate) as usize;
            for _ in 0..minutes {
                counter.minute(&mut rng, law, &mut minute);
                assert!(minute.below_min <= minute.counts[0]);
                squares += (minute.valid() as f64 - rate).powi(2);
                for (total, count) in sum.counts.iter_mut().zip(&minute.counts) {
                    *total += count;
                }
            }
            let dispersion = squares / (minutes as f64 * rate);
            let expected = if bursts == Bursts::None { 1.0 } else { 3.0 };
            assert!((dispersion / expected - 1.0).abs() < 0.3, "{dispersion}");
            let events: Vec<f64> = (0..400_000).map(|_| law.draw(&mut rng)).collect();
            let mut counted = reference.empty_summary();
            reference.add_column(&events, &mut counted);
            for (drawn, counted) in sum.counts.iter().zip(&counted.counts) {
                let (drawn, counted) = (*drawn as f64, *counted as f64);
                let noise = ((1.0 + expected) * counted.max(10.0)).sqrt();
                assert!((drawn - counted).abs() < 6.0 * noise, "{drawn} {counted}");
            }
        }
    }
}
