//! The plainest count of a stream that is right.
//!
//! It shares nothing with the engine but the reference's bin bounds: no tiles, no deltas, no merging, no
//! integer keys; every event is looked at once, every bin found by walking, every watermark by sorting.

use std::collections::BTreeMap;

use driftline_engine::{ModelSpec, ObserverOptions};
use driftline_event::{DropReason, Timestamp};
use driftline_sketch::{ColumnProfile, ColumnSummary, NumericProfile};

use crate::{Event, Sample, SampleValue, Stream};

/// Model, version, segment and pane start.
pub type PaneKey = (String, String, Option<String>, Timestamp);

/// The counts of one column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OracleColumn {
    /// Valid numbers by bin.
    pub bins: BTreeMap<usize, u64>,
    /// Texts by name.
    pub names: BTreeMap<String, u64>,
    /// Everything else by what it is.
    pub other: BTreeMap<&'static str, u64>,
}

/// The counts of one series in one pane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OraclePane {
    /// Events.
    pub rows: u64,
    /// By column.
    pub columns: Vec<OracleColumn>,
}

/// What a stream amounts to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Oracle {
    /// All panes with events.
    pub panes: BTreeMap<PaneKey, OraclePane>,
    /// Records.
    pub received: u64,
    /// Records that count.
    pub counted: u64,
    /// Records that do not, by reason.
    pub dropped: BTreeMap<DropReason, u64>,
}

/// Counts the stream.
pub fn oracle(stream: &Stream, options: &ObserverOptions) -> Oracle {
    let mut oracle = Oracle::default();
    for (_, records) in &stream.sources {
        let mut seen: Vec<Timestamp> = Vec::new();
        for record in records {
            let verdict = match &record.event {
                Event::Hole => continue,
                Event::Bad(reason) => Err(*reason),
                Event::Sample(s) if s.at < options.earliest || s.at > options.latest => {
                    Err(DropReason::InvalidTimestamp)
                }
                Event::Sample(s) if s.at > record.time.saturating_add(options.future_skew) => {
                    Err(DropReason::Future)
                }
                Event::Sample(s) => {
                    let spec = &stream.models.specs()[s.layout.index()];
                    let end = s.at.floor_to(spec.pane).saturating_add(spec.pane);
                    seen.sort_unstable();
                    let front = seen
                        .len()
                        .checked_sub(options.watermark_rank)
                        .map(|i| seen[i]);
                    let late = front.is_some_and(|front| {
                        front >= end.saturating_add(spec.out_of_orderness + spec.allowed_lateness)
                    });
                    seen.push(s.at);
                    if late {
                        Err(DropReason::Late)
                    } else {
                        Ok((s, spec))
                    }
                }
            };
            oracle.received += 1;
            match verdict {
                Err(reason) => *oracle.dropped.entry(reason).or_default() += 1,
                Ok((sample, spec)) => {
                    oracle.counted += 1;
                    oracle.count(sample, spec);
                }
            }
        }
    }
    oracle
}

impl Oracle {
    fn count(&mut self, sample: &Sample, spec: &ModelSpec) {
        let segments = spec.segments.iter().zip(&sample.segments);
        let labels = segments.filter_map(|(f, v)| v.as_ref().map(|v| Some(format!("{f}={v}"))));
        for segment in std::iter::once(None).chain(labels) {
            let pane = sample.at.floor_to(spec.pane);
            let key = (spec.model.clone(), spec.version.clone(), segment, pane);
            let pane = self.panes.entry(key).or_default();
            pane.rows += 1;
            pane.columns
                .resize_with(spec.profile.columns.len(), OracleColumn::default);
            for (i, column) in spec.profile.columns.iter().enumerate() {
                match &column.profile {
                    ColumnProfile::Numeric(p) => pane.columns[i].number(&sample.values[i], p),
                    ColumnProfile::Categorical(_) => pane.columns[i].name(&sample.values[i]),
                    // The simulator's references have no vectors.
                    ColumnProfile::Embedding(_) => {}
                }
            }
        }
    }
}

impl OracleColumn {
    fn other(&mut self, what: &'static str) {
        *self.other.entry(what).or_default() += 1;
    }

    fn number(&mut self, value: &SampleValue, profile: &NumericProfile) {
        let value = match value {
            SampleValue::Missing => return self.other("missing"),
            SampleValue::Text(_) | SampleValue::Unsupported => return self.other("wrong_type"),
            SampleValue::Bool(b) => f64::from(u8::from(*b)),
            SampleValue::Long(long) => *long as f64,
            SampleValue::Double(d) if d.is_nan() => return self.other("nan"),
            SampleValue::Double(d) if *d == f64::INFINITY => {
                return self.other("positive_infinity");
            }
            SampleValue::Double(d) if d.is_infinite() => return self.other("negative_infinity"),
            SampleValue::Double(d) => *d,
        };
        let bin = profile
            .upper_bounds()
            .iter()
            .position(|bound| value <= *bound);
        *self.bins.entry(bin.unwrap_or(usize::MAX)).or_default() += 1;
        if value < profile.minimum() {
            self.other("below_min");
        }
        if value > profile.maximum() {
            self.other("above_max");
        }
    }

    fn name(&mut self, value: &SampleValue) {
        let name = match value {
            SampleValue::Missing => return self.other("missing"),
            SampleValue::Unsupported => return self.other("wrong_type"),
            SampleValue::Double(d) if d.fract() != 0.0 || d.abs() > 1e15 || d.is_nan() => {
                return self.other("wrong_type");
            }
            SampleValue::Double(d) => format!("{d:.0}"),
            SampleValue::Bool(b) => b.to_string(),
            SampleValue::Long(long) => long.to_string(),
            SampleValue::Text(text) => text.clone(),
        };
        *self.names.entry(name).or_default() += 1;
    }

    /// Says what a summary of the engine amounts to, in the oracle's words.
    ///
    /// Unseen names are under the empty name in both: [`OracleColumn::fold_unseen`].
    pub fn of(profile: &ColumnProfile, summary: &ColumnSummary) -> Self {
        let mut column = Self::default();
        let mut other = |what, n| {
            if n > 0 {
                column.other.insert(what, n);
            }
        };
        match summary {
            ColumnSummary::Numeric(s) => {
                other("missing", s.missing);
                other("wrong_type", s.wrong_type);
                other("nan", s.nan);
                other("positive_infinity", s.positive_infinity);
                other("negative_infinity", s.negative_infinity);
                other("below_min", s.below_min);
                other("above_max", s.above_max);
                let bins = s.counts.iter().copied().enumerate();
                column.bins = bins.filter(|(_, n)| *n > 0).collect();
            }
            ColumnSummary::Embedding(s) => other("missing", s.missing),
            ColumnSummary::Categorical(s) => {
                other("missing", s.missing);
                other("wrong_type", s.wrong_type);
                if let ColumnProfile::Categorical(p) = profile {
                    let names = s
                        .counts
                        .iter()
                        .enumerate()
                        .map(|(i, n)| (p.name(i).to_owned(), *n));
                    let all = names.chain([(String::new(), s.unseen)]);
                    column.names = all.filter(|(_, n)| *n > 0).collect();
                }
            }
        }
        column
    }

    /// Moves the counts of names that the reference does not have to the empty name.
    pub fn fold_unseen(&mut self, profile: &ColumnProfile) {
        let ColumnProfile::Categorical(p) = profile else {
            return;
        };
        let known: Vec<&str> = (0..p.named_cells()).map(|i| p.name(i)).collect();
        let names = std::mem::take(&mut self.names);
        for (name, n) in names {
            let name = if known.contains(&name.as_str()) {
                name
            } else {
                String::new()
            };
            *self.names.entry(name).or_default() += n;
        }
    }
}
