//! The rules that other monitors use, on sliding windows of an hour, looked at every minute.

use driftline_sketch::{NumericProfile, NumericSummary};
use driftline_stat::binned::{self, Outside};
use serde::{Deserialize, Serialize};

use crate::rng::{Poisson, Rng};
use crate::scenario::{FEATURES, MONTH, Path, REFERENCE_ROWS, Scenario};
use crate::traffic::{Counter, profile};

/// Panes of a window.
pub(crate) const WINDOW: usize = 60;
/// Cells of PSI.
const PSI_CELLS: usize = 10;

/// The rules, in the order of the table.
pub(crate) const RULES: [&str; 7] = [
    "KS p < .05",
    "KS Bonferroni, features",
    "Benjamini–Hochberg 5 %",
    "KS Bonferroni, features × looks",
    "PSI > .1",
    "PSI > .2",
    "W1/sd > .1",
];
/// Which of them needs all features at once.
const BENJAMINI_HOCHBERG: usize = 2;

/// What the statistics of one window are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) ks_p_value: f64,
    psi: f64,
    wasserstein: f64,
}

impl Look {
    /// Which rules hold; Benjamini and Hochberg's never does, for it is not about one feature.
    pub(crate) fn holds(&self) -> [bool; RULES.len()] {
        let per_look = 0.05 / FEATURES as f64;
        [
            self.ks_p_value < 0.05,
            self.ks_p_value < per_look,
            false,
            self.ks_p_value < per_look / MONTH as f64,
            self.psi > 0.1,
            self.psi > 0.2,
            self.wasserstein > 0.1,
        ]
    }
}

/// One feature's sliding window.
#[derive(Debug)]
pub(crate) struct Window<'a> {
    profile: &'a NumericProfile,
    cells: Vec<usize>,
    coarse: Vec<u64>,
    panes: Vec<NumericSummary>,
    next: usize,
    sum: NumericSummary,
}

impl<'a> Window<'a> {
    pub(crate) fn new(profile: &'a NumericProfile) -> Self {
        let reference = &profile.reference().counts;
        let cells = binned::merge_to_cells(reference, PSI_CELLS);
        Self {
            profile,
            coarse: binned::merge_counts(reference, &cells),
            cells,
            panes: vec![profile.empty_summary(); WINDOW],
            next: 0,
            sum: profile.empty_summary(),
        }
    }

    /// Slides the window by one pane.
    pub(crate) fn slide(&mut self, pane: &NumericSummary) {
        let oldest = &mut self.panes[self.next];
        let rows = self
            .sum
            .counts
            .iter_mut()
            .zip(&pane.counts)
            .zip(&mut oldest.counts);
        for ((sum, new), old) in rows {
            *sum = *sum + new - *old;
            *old = *new;
        }
        self.sum.below_min = self.sum.below_min + pane.below_min - oldest.below_min;
        self.sum.above_max = self.sum.above_max + pane.above_max - oldest.above_max;
        (oldest.below_min, oldest.above_max) = (pane.below_min, pane.above_max);
        self.next = (self.next + 1) % WINDOW;
    }

    /// The statistics of the window; `None` if it is empty.
    pub(crate) fn look(&self) -> Option<Look> {
        let (reference, current) = (self.profile.reference(), &self.sum);
        let distance = binned::kolmogorov_smirnov(&reference.counts, &current.counts)?;
        let (n_ref, n_cur) = (reference.valid(), current.valid());
        let bins = self.profile.bins();
        // How far outside a value lies is not simulated; with 50,000 rows of reference it does not matter.
        let outside = Outside {
            below: current.below_min,
            above: current.above_max,
            distance: 0.0,
        };
        let moved = binned::wasserstein(
            self.profile.upper_bounds(),
            self.profile.minimum(),
            self.profile.maximum(),
            &reference.counts,
            &current.counts,
            outside,
        )?;
        let coarse = binned::merge_counts(&current.counts, &self.cells);
        Some(Look {
            ks_p_value: binned::kolmogorov_smirnov_p_value(distance, bins, n_ref, n_cur)?,
            psi: binned::psi(&self.coarse, &coarse)?,
            wasserstein: moved / self.profile.standard_deviation(),
        })
    }
}

/// What the classical rules said in a month of a hundred features.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Flood {
    /// Minutes simulated.
    pub(crate) minutes: usize,
    /// Alarm episodes by rule: a feature's rule begins to hold.
    pub(crate) episodes: [u64; RULES.len()],
    /// Minutes in which the rule held for some feature.
    pub(crate) minutes_in_alarm: [u64; RULES.len()],
}

/// Simulates `minutes` of `features` features.
pub(crate) fn flood(
    scenario: Scenario,
    seed: u64,
    features: usize,
    minutes: usize,
    poisson: &Poisson,
) -> Flood {
    let mut flood = Flood {
        minutes,
        ..Flood::default()
    };
    let mut held = vec![[false; RULES.len()]; minutes];
    let mut p_values = vec![1.0_f32; features * minutes];
    for feature in 0..features {
        let mut rng = Rng::new(
            seed ^ 0xc1a5_51ca,
            scenario.stream() ^ ((feature as u64) << 40),
        );
        let mut path = Path::new(scenario.kind, &mut rng);
        let profile = profile(path.reference(REFERENCE_ROWS, &mut rng));
        let bursts = scenario.kind.bursts();
        let mut counter = Counter::new(poisson, &profile, f64::from(scenario.rate), bursts);
        let mut pane = profile.empty_summary();
        let mut window = Window::new(&profile);
        let mut before = [false; RULES.len()];
        for minute in 0..WINDOW + minutes {
            let law = path.next(minute, &mut rng);
            counter.minute(&mut rng, law, &mut pane);
            window.slide(&pane);
            let Some(minute) = minute.checked_sub(WINDOW) else {
                continue;
            };
            let look = window.look();
            let holds = look.map_or(before, |look| look.holds());
            p_values[minute * features + feature] = look.map_or(1.0, |look| look.ks_p_value) as f32;
            for rule in 0..RULES.len() {
                flood.episodes[rule] += u64::from(holds[rule] && !before[rule]);
                held[minute][rule] |= holds[rule];
            }
            before = holds;
        }
    }
    let mut before = vec![false; features];
    for (minute, p_values) in p_values.chunks(features).enumerate() {
        let holds = benjamini_hochberg(p_values, 0.05);
        let begun = holds
            .iter()
            .zip(&before)
            .filter(|(now, before)| **now && !**before);
        flood.episodes[BENJAMINI_HOCHBERG] += begun.count() as u64;
        held[minute][BENJAMINI_HOCHBERG] = holds.contains(&true);
        before = holds;
    }
    for held in &held {
        for (minutes, held) in flood.minutes_in_alarm.iter_mut().zip(held) {
            *minutes += u64::from(*held);
        }
    }
    flood
}

/// Which hypotheses Benjamini and Hochberg's step-up procedure rejects.
fn benjamini_hochberg(p_values: &[f32], level: f32) -> Vec<bool> {
    let mut sorted = p_values.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let n = sorted.len() as f32;
    let last = sorted
        .iter()
        .enumerate()
        .rfind(|(i, p)| **p <= level * (i + 1) as f32 / n);
    let Some((_, &limit)) = last else {
        return vec![false; p_values.len()];
    };
    p_values.iter().map(|p| *p <= limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Kind;

    #[test]
    fn benjamini_and_hochberg_step_up() {
        let rejected = benjamini_hochberg(&[0.9, 0.03, 0.001, 0.02], 0.05);
        assert_eq!(rejected, [false, true, true, true]);
        assert_eq!(benjamini_hochberg(&[0.2, 0.3], 0.05), [false, false]);
    }

    #[test]
    fn a_rule_at_five_percent_floods_and_one_for_all_looks_does_not() {
        let scenario = Scenario {
            kind: Kind::Iid,
            rate: 200,
        };
        let flood = flood(scenario, 1, 5, 600, &Poisson::new());
        assert!(flood.episodes[0] > 5, "{flood:?}");
        assert_eq!(flood.episodes[3], 0, "{flood:?}");
        assert_eq!(flood.episodes[5], 0, "{flood:?}");
    }
}
