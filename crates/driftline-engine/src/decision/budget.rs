//! The budget of one model version, and how it is split.

use std::collections::BTreeMap;

use driftline_detect::bank;
use driftline_sketch::ReferenceProfile;

use crate::counting::span_micros;
use crate::spec::ModelSpec;

use super::column::{ColumnStreams, STREAMS};
use super::spec::DecisionSpec;

/// The part of a column's weight that its shape has; its quality has the rest.
const SHAPE_SHARE: f64 = 0.75;
/// The part of the budget that all events have where there are segments; the segments share the rest evenly, as many as
/// there may be, the `__other__` ones included.
const ALL_EVENTS_SHARE: f64 = 0.5;
/// The warning level is that of so many times the budget.
pub(crate) const WARNING_BUDGET: f64 = 10.0;

/// How a model version's budget is split over its streams: by the columns' weights, and between all events and segments.
#[derive(Clone, Debug)]
pub struct StreamWeights {
    /// The part of a series' budget that each stream of each column has.
    columns: Vec<[f64; STREAMS]>,
    /// The part that all events have, and that each segment has.
    shares: (f64, f64),
}

impl StreamWeights {
    /// The split over a profile's columns. Columns not named in `weights` weigh 1; there are up to `segments_max` segments
    /// of each of `segment_fields` fields, and one more for the rest.
    pub fn new(
        profile: &ReferenceProfile,
        weights: &BTreeMap<String, f64>,
        segment_fields: usize,
        segments_max: usize,
    ) -> Self {
        let shares = if segment_fields == 0 {
            (1.0, 0.0)
        } else {
            let slots = segment_fields as f64 * (segments_max as f64 + 1.0);
            (ALL_EVENTS_SHARE, (1.0 - ALL_EVENTS_SHARE) / slots)
        };
        let weight = |name: &str| weights.get(name).copied().unwrap_or(1.0);
        let columns = profile.columns.iter();
        let weights: Vec<f64> = columns.map(|c| weight(&c.column.name)).collect();
        let sum: f64 = weights.iter().sum();
        let of = |w: f64| [w / sum * SHAPE_SHARE, w / sum * (1.0 - SHAPE_SHARE)];
        Self {
            columns: weights.into_iter().map(of).collect(),
            shares,
        }
    }

    /// The part of the whole budget that a stream has: `stream` 0 is the shape, 1 the quality. All parts add up to one.
    pub fn of(&self, is_segment: bool, column: usize, stream: usize) -> f64 {
        let share = if is_segment {
            self.shares.1
        } else {
            self.shares.0
        };
        self.columns
            .get(column)
            .map_or(0.0, |weights| share * weights[stream])
    }
}

/// What all series of a model version decide by.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    pub(crate) spec: DecisionSpec,
    /// c: the weighted evidence at which there is an alarm.
    pub(crate) threshold: f64,
    /// The decision step in microseconds.
    pub(crate) step: i64,
    /// By column.
    pub(crate) columns: Vec<ColumnStreams>,
    weights: StreamWeights,
}

impl Budget {
    /// Labels have a part of the budget for themselves ([`crate::LabelSpec::budget_share`]); columns have the rest.
    pub(crate) fn new(model: &ModelSpec, spec: &DecisionSpec) -> Self {
        let spec = &DecisionSpec {
            alarms_per_month: model.column_alarms(spec),
            ..spec.clone()
        };
        let columns = model.profile.columns.iter();
        let fields = model.segments.len();
        Self {
            threshold: bank::threshold(spec.alarms_per_month, spec.step),
            step: span_micros(spec.step),
            columns: columns.map(|c| ColumnStreams::new(&c.profile)).collect(),
            weights: StreamWeights::new(&model.profile, &spec.weights, fields, model.segments_max),
            spec: spec.clone(),
        }
    }

    /// The part of the whole budget that a stream has. All parts add up to one.
    pub(crate) fn weight(&self, is_segment: bool, column: usize, stream: usize) -> f64 {
        self.weights.of(is_segment, column, stream)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use driftline_event::ColumnRole;
    use driftline_sketch::{ProfileOptions, ReferenceBuilder};

    use super::*;

    #[test]
    fn the_whole_budget_is_given_out_once() {
        let mut builder = ReferenceBuilder::new("m", "1", ProfileOptions::default());
        for name in ["a", "b", "c"] {
            let values = (0..100).map(f64::from).collect();
            builder.numeric(name, ColumnRole::Feature, values).unwrap();
        }
        let profile = Arc::new(builder.build().unwrap());
        let mut decision = DecisionSpec::new(1.0, Duration::from_secs(60));
        decision.weights.insert("a".to_owned(), 2.0);
        for (segments, slots) in [(0, 0.0), (2, 2.0 * 8.0)] {
            let model = ModelSpec {
                segments: (0..segments).map(|i| format!("s{i}")).collect(),
                segments_max: 7,
                ..ModelSpec::new(Arc::clone(&profile), "m", "1")
            };
            let budget = Budget::new(&model, &decision);
            let sum = |is_segment| -> f64 {
                (0..3)
                    .flat_map(|c| (0..STREAMS).map(move |s| (c, s)))
                    .map(|(c, s)| budget.weight(is_segment, c, s))
                    .sum()
            };
            assert!((sum(false) + slots * sum(true) - 1.0).abs() < 1e-12);
            assert!((budget.weight(false, 0, 0) / budget.weight(false, 1, 0) - 2.0).abs() < 1e-12);
            assert_eq!(budget.threshold, 43_200.0);
        }
    }
}
