//! How good a rule was: false alarms, delays, misses, each with an interval.

use std::ops::Range;

use driftline_stat::binned;
use serde::Serialize;

/// Two-sided level of all intervals is 95 %.
const TAIL: f64 = 0.025;
const NORMAL: f64 = 1.96;

/// Where the drift of one trial lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Truth {
    /// First event after the reference.
    pub(crate) from: usize,
    pub(crate) start: usize,
    /// Last event after which an alarm is not too late.
    pub(crate) until: usize,
}

/// Sums over trials.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Score {
    /// Drifts to find.
    pub(crate) drifts: usize,
    /// Found in time, whatever came before.
    pub(crate) found: usize,
    /// Events from the start of each found drift to its first alarm.
    pub(crate) delays: Vec<usize>,
    /// Trials whose very first alarm found the drift.
    pub(crate) first_hits: usize,
    /// Trials whose very first alarm was false.
    pub(crate) first_early: usize,
    /// Alarms while nothing had drifted.
    pub(crate) false_alarms: usize,
    /// Events watched while nothing had drifted.
    pub(crate) quiet_events: usize,
    /// All alarms and all watched events, for the dummy.
    pub(crate) alarms: usize,
    pub(crate) events: usize,
}

impl Score {
    /// A trial in which these events were watched, with one drift or without any.
    pub(crate) fn add(&mut self, truth: Option<Truth>, alarms: &[usize], watched: Range<usize>) {
        self.alarms += alarms.len();
        self.events += watched.len();
        let Some(truth) = truth else {
            self.add_quiet(alarms.len(), watched.len());
            return;
        };
        // An alarm comes after an event, so one at the start has seen nothing of the drift yet.
        let hit = |alarm: &&usize| (truth.start + 1..=truth.until).contains(*alarm);
        self.drifts += 1;
        if let Some(alarm) = alarms.iter().find(hit) {
            self.found += 1;
            self.delays.push(alarm - truth.start);
        }
        let early = alarms.iter().filter(|alarm| **alarm <= truth.start).count();
        self.first_early += usize::from(early > 0);
        self.first_hits += usize::from(alarms.first().as_ref().is_some_and(hit));
        self.add_quiet(early, truth.start - truth.from);
    }

    fn add_quiet(&mut self, false_alarms: usize, events: usize) {
        self.false_alarms += false_alarms;
        self.quiet_events += events;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.drifts += other.drifts;
        self.found += other.found;
        self.delays.extend(&other.delays);
        self.first_hits += other.first_hits;
        self.first_early += other.first_early;
        self.add_quiet(other.false_alarms, other.quiet_events);
        self.alarms += other.alarms;
        self.events += other.events;
    }

    /// F1 if an alarm stays on, so that only the first counts.
    pub(crate) fn f1(&self) -> f64 {
        let hits = 2 * self.first_hits;
        let misses = self.drifts - self.first_hits;
        hits as f64 / (hits + misses + self.first_early).max(1) as f64
    }

    /// Share of drifts that were not found.
    pub(crate) fn missed_rate(&self) -> f64 {
        1.0 - self.found as f64 / self.drifts.max(1) as f64
    }

    /// Wilson's interval of [`Score::missed_rate`].
    pub(crate) fn missed_rate_interval(&self) -> (f64, f64) {
        let (n, p) = (self.drifts.max(1) as f64, self.missed_rate());
        let z2 = NORMAL * NORMAL;
        let centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let half = NORMAL * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt() / (1.0 + z2 / n);
        ((centre - half).max(0.0), (centre + half).min(1.0))
    }

    /// Mean delay in events of the drifts that were found, and half the width of its interval.
    pub(crate) fn delay(&self) -> Option<(f64, f64)> {
        let n = self.delays.len() as f64;
        let mean = self.delays.iter().sum::<usize>() as f64 / n;
        let squares: f64 = self.delays.iter().map(|d| (*d as f64 - mean).powi(2)).sum();
        (n > 0.0).then(|| (mean, NORMAL * (squares / (n - 1.0).max(1.0) / n).sqrt()))
    }

    pub(crate) fn median_delay(&self) -> Option<usize> {
        let mut sorted = self.delays.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }

    /// Drift-free events per false alarm; all of them if there was none.
    pub(crate) fn between_false_alarms(&self) -> f64 {
        self.quiet_events as f64 / self.false_alarms.max(1) as f64
    }

    pub(crate) fn between_false_alarms_interval(&self) -> (f64, f64) {
        let (low, high) = poisson_interval(self.false_alarms);
        (
            self.quiet_events as f64 / high,
            self.quiet_events as f64 / low,
        )
    }

    /// MTR = MTFA / MTD · (1 − MDR).
    pub(crate) fn ratio(&self) -> f64 {
        let delay = self
            .delay()
            .map_or(f64::INFINITY, |(mean, _)| mean.max(1.0));
        self.between_false_alarms() / delay * (1.0 - self.missed_rate())
    }

    /// How often a dummy has to alarm to raise as many alarms; `None` without any.
    pub(crate) fn between_alarms(&self) -> Option<usize> {
        (self.alarms > 0).then(|| (self.events / self.alarms).max(1))
    }
}

/// The alarms of a dummy that knows nothing: one every `every` events, from a random phase.
pub(crate) fn dummy(every: usize, phase: f64, from: usize, rows: usize) -> Vec<usize> {
    let first = from + (phase * every as f64) as usize;
    (first..rows).step_by(every).collect()
}

/// The 95 % interval of a Poisson mean after `count` events (Garwood 1936).
pub(crate) fn poisson_interval(count: usize) -> (f64, f64) {
    let quantile = |upper_tail: f64, degrees: usize| {
        let (mut low, mut high) = (0.0_f64, 10.0 * degrees as f64 + 100.0);
        for _ in 0..100 {
            let middle = f64::midpoint(low, high);
            if binned::chi_square_p_value(middle, degrees) > upper_tail {
                low = middle;
            } else {
                high = middle;
            }
        }
        f64::midpoint(low, high)
    };
    let low = if count == 0 {
        0.0
    } else {
        quantile(1.0 - TAIL, 2 * count) / 2.0
    };
    (low, quantile(TAIL, 2 * count + 2) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_tables() {
        let (low, high) = poisson_interval(0);
        assert!(low == 0.0 && (high - 3.688_9).abs() < 1e-3, "{low} {high}");
        let (low, high) = poisson_interval(10);
        assert!(
            (low - 4.795_4).abs() < 1e-3 && (high - 18.390_4).abs() < 1e-3,
            "{low} {high}"
        );
    }

    #[test]
    fn a_trial_is_judged_by_its_first_alarm_and_by_its_window() {
        let truth = Truth {
            from: 100,
            start: 500,
            until: 800,
        };
        let mut score = Score::default();
        score.add(Some(truth), &[600, 900], 100..1_000);
        score.add(Some(truth), &[450, 700], 100..1_000);
        score.add(Some(truth), &[850], 100..1_000);
        score.add(Some(truth), &[], 100..1_000);
        assert_eq!(
            (score.found, score.first_hits, score.first_early),
            (2, 1, 1)
        );
        assert_eq!((score.false_alarms, score.quiet_events), (1, 1_600));
        assert_eq!(score.delays, [100, 200]);
        assert_eq!(score.missed_rate(), 0.5);
        assert_eq!(score.f1(), 2.0 / (2.0 + 3.0 + 1.0));
        assert_eq!(score.ratio(), 1_600.0 / 150.0 * 0.5);
        assert_eq!(score.between_alarms(), Some(3_600 / 5));
        assert_eq!(dummy(300, 0.5, 100, 1_000), [250, 550, 850]);
    }
}
