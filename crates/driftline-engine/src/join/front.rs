//! How far predictions and labels have come together.

use std::time::Duration;

use driftline_event::Timestamp;

use crate::invariants::Violation;
use crate::ledger::{Ledger, Reached};
use crate::partial::Progress;

/// The ledgers of both sides, and the *join watermark* W: no side that still moves is behind it, except labels by more than
/// `wait`. It never goes back.
#[derive(Clone, Debug)]
pub(crate) struct JoinFront {
    predictions: Ledger,
    labels: Ledger,
    wait: Duration,
    reached: Option<Timestamp>,
}

impl JoinFront {
    pub(crate) fn new(wait: Duration) -> Self {
        Self {
            predictions: Ledger::default(),
            labels: Ledger::default(),
            wait,
            reached: None,
        }
    }

    /// Takes in how far the sources of one side have come.
    pub(crate) fn record(
        &mut self,
        of_labels: bool,
        progress: &[Progress],
        violations: &mut Vec<Violation>,
    ) {
        let ledger = if of_labels {
            &mut self.labels
        } else {
            &mut self.predictions
        };
        for entry in progress {
            ledger.record(entry, violations);
        }
        let now = watermark(self.predictions.reached(), self.labels.reached(), self.wait);
        self.reached = self.reached.max(now);
    }

    /// W, once it is anywhere; [`Timestamp::MAX`] when both sides have ended.
    pub(crate) fn reached(&self) -> Option<Timestamp> {
        self.reached
    }
}

/// W by where both sides are.
///
/// | | labels move at b | labels idle at m | labels ended | nothing known of labels |
/// | --- | --- | --- | --- | --- |
/// | predictions move at a | max(min(a, b), a − wait) | a | a | a − wait |
/// | predictions idle at n | max(b, n − wait) | max(n, m) | n | n − wait |
/// | predictions ended | b | m | end | – |
///
/// Nothing is known before every partition of the predictions was heard of.
fn watermark(predictions: Reached, labels: Reached, wait: Duration) -> Option<Timestamp> {
    match (predictions, labels) {
        (Reached::Nowhere, _) | (Reached::End, Reached::Nowhere) => None,
        (Reached::Front(a), Reached::Front(b)) => Some(a.min(b).max(a.saturating_sub(wait))),
        (Reached::Front(a), Reached::Idle(_) | Reached::End) => Some(a),
        (Reached::Front(t) | Reached::Idle(t), Reached::Nowhere) => Some(t.saturating_sub(wait)),
        (Reached::Idle(n), Reached::Front(b)) => Some(b.max(n.saturating_sub(wait))),
        (Reached::Idle(n), Reached::Idle(m)) => Some(n.max(m)),
        (Reached::Idle(n), Reached::End) => Some(n),
        (Reached::End, Reached::Front(b)) => Some(b),
        (Reached::End, Reached::Idle(m)) => Some(m),
        (Reached::End, Reached::End) => Some(Timestamp::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_labels_but_not_for_ever() {
        let at = Timestamp::from_seconds;
        let wait = Duration::from_secs(100);
        let w = |p, l| watermark(p, l, wait).map(|t| t.as_micros() / 1_000_000);
        use Reached::{End, Front, Idle, Nowhere};
        assert_eq!(w(Nowhere, Front(at(50))), None);
        assert_eq!(w(Front(at(500)), Nowhere), Some(400));
        assert_eq!(w(Front(at(500)), Front(at(450))), Some(450));
        assert_eq!(w(Front(at(500)), Front(at(100))), Some(400));
        assert_eq!(w(Front(at(500)), Front(at(900))), Some(500));
        assert_eq!(w(Front(at(500)), Idle(at(10))), Some(500));
        assert_eq!(w(Idle(at(500)), Front(at(700))), Some(700));
        assert_eq!(w(Idle(at(500)), Idle(at(600))), Some(600));
        assert_eq!(w(End, Front(at(700))), Some(700));
        assert_eq!(w(End, Nowhere), None);
        assert_eq!(watermark(End, End, wait), Some(Timestamp::MAX));
    }
}
