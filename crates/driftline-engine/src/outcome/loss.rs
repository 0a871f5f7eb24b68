//! The mean size of a regression's errors: one more stream of each level, beside those of the bank.
//!
//! **The loss** of an outcome is a step function of |error|: that of the middle of its bin, min(middle/cap, 1). The bins are
//! those of the reference's |error|, about a hundredth of its errors each, so that the steps cost next to nothing; the
//! counts are there already, and integers. The test is exact for this loss, whatever |error| does within a bin.
//!
//! **The cap** is about the 99 % quantile of the reference's |error|: the first upper bound of a bin that as many of them
//! do not exceed, or the largest one. All levels and segments have the same. Beyond it an error costs no more, so that a
//! few wild ones neither raise an alarm nor cost power.
//!
//! **Dispersion and band** are those of the error stream: a loss that is 0 or 1 would have exactly those, and a
//! standard deviation of it is Cohen's h to first order.

use std::collections::VecDeque;
use std::sync::Arc;

use driftline_detect::bank::ComponentId;
use driftline_detect::bounded_loss::{
    BoundedLoss, BoundedLossOptions, BoundedLossState, LossComponent, LossTally,
};
use driftline_event::Task;
use driftline_sketch::{OutcomeProfile, OutcomeSummary};

use super::level::Moved;
use super::model::LabelModel;
use super::packed::Packed;
use super::streams::{options, shown};
use crate::calibration::StreamCalibration;
use crate::stream::{Alarm, Chunk, EFFECT_ALPHA, Scale, Since, Stream, effect};

/// The part of the reference's errors that the cap is not below.
const CAP_QUANTILE: f64 = 0.99;

/// What an alert of labels is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum What {
    /// An indicator of the bank.
    Indicator(ComponentId),
    /// The mean loss.
    Loss(LossComponent),
}

/// The loss of each bin of |error|.
#[derive(Clone, Debug)]
pub(crate) struct BinLoss {
    cap: f64,
    losses: Vec<f64>,
}

impl BinLoss {
    /// None of another task, and where nearly all of the reference's errors are zero: how many are not is what the bank sees.
    pub(crate) fn new(profile: &OutcomeProfile, reference: &OutcomeSummary) -> Option<Self> {
        if profile.task() != Task::Regression {
            return None;
        }
        let view = reference.regression(profile)?;
        let edges = profile.absolute_error_bins().upper_bounds();
        let counts: Vec<u64> = (0..edges.len())
            .map(|b| view.absolute_error_count(b))
            .collect();
        let wanted = CAP_QUANTILE * counts.iter().sum::<u64>() as f64;
        let (mut below, mut cap) = (0, 0.0);
        for (edge, count) in edges.iter().zip(&counts).filter(|(e, _)| e.is_finite()) {
            below += count;
            cap = *edge;
            if below as f64 >= wanted {
                break;
            }
        }
        let lower = std::iter::once(&0.0).chain(edges);
        let loss = |(lower, upper): (&f64, &f64)| match *upper <= cap {
            true => (0.5 * (lower / cap + upper / cap)).clamp(0.0, 1.0),
            false => 1.0,
        };
        (cap > 0.0).then(|| Self {
            cap,
            losses: lower.zip(edges).map(loss).collect(),
        })
    }

    /// Errors from here on cost the same.
    pub(crate) fn cap(&self) -> f64 {
        self.cap
    }

    pub(crate) fn read(&self, profile: &OutcomeProfile, summary: &OutcomeSummary) -> LossTally {
        let mut tally = LossTally::default();
        if let Some(view) = summary.regression(profile) {
            for (bin, loss) in self.losses.iter().enumerate() {
                tally.add_many(*loss, view.absolute_error_count(bin));
            }
        }
        tally
    }

    /// What the mean is about, where it is a share of the cap.
    pub(crate) fn words(&self) -> String {
        format!("mean |error| up to {}, as a share of that", shown(self.cap))
    }

    /// The test against a reference.
    pub(crate) fn test(
        &self,
        profile: &OutcomeProfile,
        reference: &OutcomeSummary,
        (calibration, horizon): (Option<StreamCalibration>, f64),
    ) -> BoundedLoss {
        let of_errors = options(calibration, horizon);
        let options = BoundedLossOptions {
            tolerance: of_errors.tolerance,
            band: of_errors.band,
            dispersion: of_errors.dispersion,
            reference_sigmas: of_errors.reference_sigmas,
            horizon,
            ..BoundedLossOptions::default()
        };
        BoundedLoss::new(&self.read(profile, reference), &options)
    }
}

/// The stream of losses of one level of one series.
#[derive(Clone, Debug)]
pub(crate) struct LossStream {
    pub(crate) test: Arc<BoundedLoss>,
    pub(crate) stream: Stream<BoundedLossState>,
}

impl LossStream {
    pub(crate) fn new(test: Arc<BoundedLoss>) -> Self {
        Self {
            stream: Stream::new(test.as_ref()),
            test,
        }
    }

    /// As [`Stream::step`].
    pub(crate) fn step(&mut self, tally: &LossTally, scale: Scale) -> Option<(Alarm<What>, f64)> {
        let (alarm, evidence) = self.stream.step(&self.test, tally, scale)?;
        Some((alarm.map(What::Loss), evidence))
    }

    /// Begins the alert.
    pub(crate) fn fire(&mut self, component: LossComponent, (end, onset, incident): Fired<'_>) {
        let alarm = Alarm {
            started_at: end,
            onset,
            incident: incident.to_owned(),
            component,
        };
        self.stream.fire(&self.test, alarm);
    }

    /// As of an indicator of the bank: the mean loss since the bucket from which on the likelihood ratio is largest, or
    /// since `onset`.
    pub(crate) fn moved(
        &self,
        model: &LabelModel,
        history: &VecDeque<(i64, Packed)>,
        component: LossComponent,
        (onset, end): (Option<i64>, i64),
    ) -> Option<Moved> {
        let loss = model.streams.loss()?;
        let read = |(start, packed): &(i64, Packed)| {
            let outcomes: OutcomeSummary = packed.unpack(&model.profile);
            let tally = loss.read(&model.profile, &outcomes);
            // The mean that was predicted then is not kept. The reference's is as good to find the beginning.
            let log_ratio = self.test.log_ratio(component, &tally, self.test.mean());
            let chunk = Chunk {
                start: *start,
                events: outcomes.labelled(),
                hits: tally.sum(),
                trials: tally.n(),
                log_ratio,
            };
            (chunk, tally)
        };
        let (chunks, tallies): (Vec<Chunk>, Vec<LossTally>) = history.iter().map(read).unzip();
        let since = Since::of(&chunks, (onset, end));
        let mut all = LossTally::default();
        for (chunk, tally) in chunks.iter().zip(&tallies) {
            if chunk.start >= since.onset {
                all.merge(tally);
            }
        }
        let size = self.test.effect(&all, chunks.len(), EFFECT_ALPHA);
        Some(Moved {
            onset: since.onset,
            labels: since.events,
            trials: since.trials,
            effect: effect(size, loss.words()),
        })
    }
}

/// When an alert begins, since when its stream is different, and the incident.
type Fired<'a> = (i64, i64, &'a str);
