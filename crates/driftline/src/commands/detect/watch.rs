//! What happened to the values: when there were signals, and what the mean was before and after.

use std::collections::VecDeque;

use driftline_detect::sequential::Signal;

/// Signals of one kind whose places are kept; beyond that they are only counted.
const PLACES_MAX: usize = 10_000_000;

/// A drift, and the values around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Drift {
    /// The value at which it was seen, from 0.
    pub(super) at: u64,
    /// Values since the one before it.
    pub(super) since: u64,
    /// The mean of those, without the last window's if there are others.
    pub(super) before: f64,
    /// The mean of the last window's values up to it.
    pub(super) last: f64,
    /// The mean of the first window's values after it; none if there were none.
    pub(super) after: Option<f64>,
}

/// Places in the stream, as many as are kept.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) count: u64,
    pub(super) at: Vec<u64>,
}

impl Places {
    fn add(&mut self, at: u64) {
        self.count += 1;
        if self.at.len() < PLACES_MAX {
            self.at.push(at);
        }
    }
}

/// A mean in the making.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    n: u64,
    sum: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.n += 1;
        self.sum += value;
    }

    fn mean(self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / self.n as f64)
    }
}

/// Follows the values and the signals. Memory grows with the drifts and warnings only.
#[derive(Debug)]
pub(super) struct Watched {
    window: usize,
    n: u64,
    all: Mean,
    /// Values since the last drift that are older than the window.
    settled: Mean,
    /// The newest values since the last drift.
    recent: VecDeque<f64>,
    /// Values after the last drift.
    after: Mean,
    pub(super) drifts: Places,
    pub(super) warnings: Places,
    pub(super) details: Vec<Drift>,
}

impl Watched {
    pub(super) fn new(window: usize) -> Self {
        Self {
            window,
            n: 0,
            all: Mean::default(),
            settled: Mean::default(),
            recent: VecDeque::new(),
            after: Mean::default(),
            drifts: Places::default(),
            warnings: Places::default(),
            details: Vec::new(),
        }
    }

    /// How many values there were.
    pub(super) fn n(&self) -> u64 {
        self.n
    }

    /// Values of a window.
    pub(super) fn window(&self) -> usize {
        self.window
    }

    /// The mean of all values.
    pub(super) fn mean(&self) -> Option<f64> {
        self.all.mean()
    }

    pub(super) fn take(&mut self, value: f64, signal: Signal) {
        self.all.add(value);
        if self.after.n < self.window as u64 {
            self.after.add(value);
            if let Some(last) = self.details.last_mut().filter(|last| last.at < self.n) {
                last.after = self.after.mean();
            }
        }
        if self.recent.len() == self.window
            && let Some(oldest) = self.recent.pop_front()
        {
            self.settled.add(oldest);
        }
        self.recent.push_back(value);
        match signal {
            Signal::Stable => {}
            Signal::Warning => self.warnings.add(self.n),
            Signal::Drift => self.drift(),
        }
        self.n += 1;
    }

    fn drift(&mut self) {
        let mut last = Mean::default();
        self.recent.drain(..).for_each(|value| last.add(value));
        let before = std::mem::take(&mut self.settled);
        let newest = last.mean().unwrap_or(0.0);
        if self.details.len() < PLACES_MAX {
            self.details.push(Drift {
                at: self.n,
                since: before.n + last.n,
                before: before.mean().unwrap_or(newest),
                last: newest,
                after: None,
            });
        }
        self.drifts.add(self.n);
        self.after = Mean::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_before_and_after_a_drift() {
        let mut watched = Watched::new(2);
        let values = [0.0, 1.0, 5.0, 7.0, 4.0, 8.0, 100.0];
        for (i, value) in values.into_iter().enumerate() {
            let signal = match i {
                2 => Signal::Warning,
                3 => Signal::Drift,
                _ => Signal::Stable,
            };
            watched.take(value, signal);
        }
        let drift = Drift {
            at: 3,
            since: 4,
            before: 0.5,
            last: 6.0,
            after: Some(6.0),
        };
        assert_eq!(watched.details, [drift]);
        assert_eq!(
            (&watched.drifts.at, &watched.warnings.at),
            (&vec![3], &vec![2])
        );
        assert_eq!((watched.n(), watched.mean()), (7, Some(125.0 / 7.0)));
    }

    #[test]
    fn a_drift_within_the_first_window_and_at_the_end() {
        let mut watched = Watched::new(10);
        watched.take(1.0, Signal::Stable);
        watched.take(3.0, Signal::Drift);
        watched.take(9.0, Signal::Drift);
        let first = Drift {
            at: 1,
            since: 2,
            before: 2.0,
            last: 2.0,
            after: Some(9.0),
        };
        let second = Drift {
            at: 2,
            since: 1,
            before: 9.0,
            last: 9.0,
            after: None,
        };
        assert_eq!(watched.details, [first, second]);
    }
}
