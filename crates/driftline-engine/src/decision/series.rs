//! The bank of one series: all columns of one segment.

use std::sync::{Arc, OnceLock};

use driftline_detect::bank::{Bank, Tally};
use driftline_event::{Decision, SeriesState, Timestamp, Verdict};
use driftline_sketch::{ReferenceProfile, ShapeMismatch};

use crate::baseline::{Origin, Source, step_span};
use crate::calibration::{ColumnCalibration, SliceCalibration};
use crate::ladder::Ladder;
use crate::pane::PaneSummary;
use crate::stream::{Alarm, Scale, Stream};

use super::budget::Budget;
use super::column::{QUALITY, STREAMS, options};
use super::since::{Moved, Suspect, moved};

/// The banks of both streams of every column.
pub(crate) type Banks = Arc<[[Bank; STREAMS]]>;

/// What a series is judged by and against at one instant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) budget: &'a Budget,
    pub(crate) profile: &'a ReferenceProfile,
    /// The banks of the model's own reference, once a series has needed them.
    pub(crate) own_banks: &'a OnceLock<Banks>,
    /// None while the series is not judged.
    pub(crate) source: Option<Source<'a>>,
    /// What the calibration knows about the series.
    pub(crate) slice: Option<&'a SliceCalibration>,
    pub(crate) is_segment: bool,
}

impl View<'_> {
    pub(crate) fn calibration(&self, column: usize) -> Option<ColumnCalibration> {
        self.slice?.columns.get(column).copied()
    }

    fn scale(&self, column: usize, stream: usize) -> Scale {
        Scale {
            weight: self.budget.weight(self.is_segment, column, stream),
            threshold: self.budget.threshold,
            clear_evidence: self.budget.spec.clear_evidence,
        }
    }
}

/// An alert that has ended.
#[derive(Clone, Debug)]
pub(crate) struct Cleared {
    pub(crate) column: usize,
    pub(crate) stream: usize,
    pub(crate) alarm: Alarm,
    /// ln of the weighted evidence at the step before: this one has reset it.
    pub(crate) evidence: f64,
}

/// The banks of a reference. Those of the model's own are made once for all series that are judged by it.
fn banks(source: &Source<'_>, origin: &Origin, view: &View<'_>) -> Option<Banks> {
    let is_own = *origin == Origin::Own;
    if let Some(shared) = view.own_banks.get().filter(|_| is_own) {
        return Some(Arc::clone(shared));
    }
    let mut banks = Vec::with_capacity(view.budget.columns.len());
    for (column, streams) in view.budget.columns.iter().enumerate() {
        let reference = source.column(origin, column)?;
        let options = options(&view.budget.spec, view.calibration(column));
        let own = is_own.then_some(&view.profile.columns[column].profile);
        banks.push(streams.banks(&reference, own, &options));
    }
    let banks: Banks = banks.into();
    match is_own {
        true => Some(Arc::clone(view.own_banks.get_or_init(|| banks))),
        false => Some(banks),
    }
}

/// The evidence of all streams of a series, and the banks of the reference that is in force.
#[derive(Clone, Debug, Default)]
pub(crate) struct SeriesBank {
    /// What the banks were made from.
    origin: Option<Origin>,
    banks: Banks,
    streams: Vec<[Stream; STREAMS]>,
    /// The panes of the step under way.
    pending: Option<PaneSummary>,
    last_step: Option<i64>,
}

impl SeriesBank {
    /// Takes in a pane of the step under way.
    pub(crate) fn gather(&mut self, pane: &PaneSummary) -> Result<(), ShapeMismatch> {
        match &mut self.pending {
            Some(pending) => pending.merge(pane),
            None => {
                self.pending = Some(pane.clone());
                Ok(())
            }
        }
    }

    pub(crate) fn has_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Takes in the step that ends at `end`; returns the alerts that it ends. None if it has no events, or they cannot
    /// be judged.
    pub(crate) fn step(&mut self, end: i64, view: &View<'_>) -> Option<Vec<Cleared>> {
        let counts = self.pending.take()?;
        self.last_step = Some(end);
        if !self.refer(end, view) {
            return None;
        }
        let mut cleared = Vec::new();
        let mut tallies = <[Tally; STREAMS]>::default();
        let columns = view.budget.columns.iter().zip(&counts.columns);
        for (column, (reader, summary)) in columns.enumerate() {
            reader.read(summary, &mut tallies);
            for (stream, tally) in tallies.iter().enumerate() {
                let this = &mut self.streams[column][stream];
                let scale = view.scale(column, stream);
                let ended = this.step(&self.banks[column][stream], tally, scale);
                cleared.extend(ended.map(|(alarm, evidence)| Cleared {
                    column,
                    stream,
                    alarm,
                    evidence,
                }));
            }
        }
        Some(cleared)
    }

    /// Makes the banks of the reference in force; whether there is one.
    fn refer(&mut self, end: i64, view: &View<'_>) -> bool {
        let Some(source) = view.source else {
            return false;
        };
        let (from, to) = step_span(end - view.budget.step, end);
        let Some(origin) = source.origin(from, to) else {
            return false;
        };
        if self.origin.as_ref() == Some(&origin) {
            return true;
        }
        let Some(banks) = banks(&source, &origin, view) else {
            return false;
        };
        if self.streams.is_empty() {
            self.streams = banks
                .iter()
                .map(|b| [Stream::new(&b[0]), Stream::new(&b[1])])
                .collect();
        }
        self.banks = banks;
        self.origin = Some(origin);
        true
    }

    /// ωM of every stream, column by column; zero while its alert is on.
    pub(crate) fn weighted(&self, budget: &Budget, is_segment: bool) -> impl Iterator<Item = f64> {
        self.streams
            .iter()
            .enumerate()
            .flat_map(move |(column, streams)| {
                streams.iter().enumerate().map(move |(stream, this)| {
                    this.weighted(budget.weight(is_segment, column, stream))
                })
            })
    }

    /// Says which streams are at the warning level: `is_warning` by column and stream.
    pub(crate) fn warn(&mut self, is_warning: impl Fn(usize, usize) -> bool) {
        for (column, streams) in self.streams.iter_mut().enumerate() {
            for (stream, this) in streams.iter_mut().enumerate() {
                this.is_warning = is_warning(column, stream);
            }
        }
    }

    /// Begins the alert of a stream; says what moved, and ln of the evidence that speaks for it.
    pub(crate) fn fire(
        &mut self,
        (column, stream): (usize, usize),
        (end, incident): (i64, &str),
        ladder: &Ladder,
        view: &View<'_>,
    ) -> Option<(Moved, f64)> {
        let bank = self.banks.get(column)?.get(stream)?;
        let this = self.streams.get_mut(column)?.get_mut(stream)?;
        let evidence = this.log_weighted(view.scale(column, stream).weight);
        let component = this.state.best(bank);
        let suspect = Suspect {
            column,
            stream,
            component,
        };
        let found = moved(
            view,
            ladder,
            suspect,
            (bank, self.origin.as_ref()),
            (None, end),
        )?;
        let alarm = Alarm {
            started_at: end,
            onset: found.onset,
            incident: incident.to_owned(),
            component,
        };
        this.fire(bank, alarm);
        Some((found, evidence))
    }

    /// What has moved since an alarm that is on, or was until now.
    pub(crate) fn moved_since(
        &self,
        (column, stream): (usize, usize),
        alarm: &Alarm,
        end: i64,
        ladder: &Ladder,
        view: &View<'_>,
    ) -> Option<Moved> {
        let bank = self.banks.get(column)?.get(stream)?;
        let suspect = Suspect {
            column,
            stream,
            component: alarm.component,
        };
        let times = (Some(alarm.onset), end);
        moved(view, ladder, suspect, (bank, self.origin.as_ref()), times)
    }

    /// What the bank says about a column; none before it has judged.
    pub(crate) fn decision(
        &self,
        column: usize,
        end: i64,
        ladder: &Ladder,
        view: &View<'_>,
    ) -> Option<Decision> {
        let streams = self.streams.get(column)?;
        if !streams.iter().any(|stream| stream.has_stepped) {
            return None;
        }
        let verdict = |stream| self.verdict((column, stream), end, ladder, view);
        Some(Decision {
            threshold: view.budget.threshold.ln(),
            calibrated: view.slice.is_some(),
            shape: verdict(0),
            quality: verdict(QUALITY),
        })
    }

    fn verdict(
        &self,
        (column, stream): (usize, usize),
        end: i64,
        ladder: &Ladder,
        view: &View<'_>,
    ) -> Verdict {
        let this = &self.streams[column][stream];
        let bank = &self.banks[column][stream];
        let (state, found) = if let Some(alarm) = &this.alarm {
            let found = self.moved_since((column, stream), alarm, end, ladder, view);
            (SeriesState::Drifted, found)
        } else if this.is_warning {
            let suspect = Suspect {
                column,
                stream,
                component: this.state.best(bank),
            };
            let found = moved(
                view,
                ladder,
                suspect,
                (bank, self.origin.as_ref()),
                (None, end),
            );
            (SeriesState::Warning, found)
        } else {
            (SeriesState::Stable, None)
        };
        Verdict {
            state,
            evidence: this.log_weighted(view.scale(column, stream).weight),
            onset: found.as_ref().map(|m| Timestamp::from_micros(m.onset)),
            effect: found.map(|m| m.effect),
        }
    }

    /// Whether each stream of a column has taken in anything yet.
    pub(crate) fn has_stepped(&self, column: usize) -> [bool; STREAMS] {
        let streams = self.streams.get(column);
        streams.map_or([false; STREAMS], |s| [s[0].has_stepped, s[1].has_stepped])
    }

    /// Drops the evidence of streams without an alert if nothing came since `before`. Evidence may be dropped at any
    /// time: the bound on false alarms only becomes looser.
    pub(crate) fn rest(&mut self, before: i64) {
        if self.last_step.is_none_or(|at| at >= before) {
            return;
        }
        if self.streams.iter().flatten().all(|s| s.latch.is_watching()) {
            // Nothing is known any more; banks are made again when events come.
            (self.origin, self.banks, self.streams) = Default::default();
            return;
        }
        let watching = |s: &&mut Stream| s.latch.is_watching();
        for this in self.streams.iter_mut().flatten().filter(watching) {
            this.state.reset();
            this.has_stepped = false;
            this.is_warning = false;
        }
    }

    /// Whether nothing would be lost with it.
    pub(crate) fn is_idle(&self) -> bool {
        let idle = |s: &Stream| s.latch.is_watching() && !s.has_stepped;
        self.pending.is_none() && self.streams.iter().flatten().all(idle)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use driftline_detect::bank::BankState;
    use driftline_event::ColumnRole;
    use driftline_sketch::{ColumnProfile, ProfileOptions, ReferenceBuilder};

    use super::*;
    use crate::decision::{DecisionSpec, bank_bytes};
    use crate::model::{Asker, Model};
    use crate::spec::ModelSpec;

    fn model(version: &str) -> Model {
        let mut builder = ReferenceBuilder::new("m", "1", ProfileOptions::default());
        let values = (0..10_000).map(|i| f64::from(i).sqrt()).collect();
        builder.numeric("x", ColumnRole::Feature, values).unwrap();
        let names: Vec<String> = (0..10_000).map(|i| format!("{}", i % 40)).collect();
        let names = names.iter().map(|name| Some(name.as_str()));
        builder
            .categorical("c", ColumnRole::Feature, names)
            .unwrap();
        let spec = ModelSpec {
            decision: Some(DecisionSpec::new(1.0, Duration::from_secs(60))),
            ..ModelSpec::new(Arc::new(builder.build().unwrap()), "m", version)
        };
        Model::new(Arc::new(spec))
    }

    /// The bank of all events after a step of the reference's own counts.
    fn stepped(model: &Model) -> SeriesBank {
        let asker = Asker {
            segment: None,
            trailing: None,
            peer: None,
        };
        let view = View {
            budget: model.budget.as_ref().unwrap(),
            profile: &model.spec.profile,
            own_banks: &model.own_banks,
            source: model.bank_source(asker),
            slice: None,
            is_segment: false,
        };
        let mut pane = PaneSummary::empty(&model.spec.profile);
        let columns = model.spec.profile.columns.iter();
        pane.columns = columns.map(|c| c.profile.reference()).collect();
        pane.rows = 10_000;
        let mut bank = SeriesBank::default();
        bank.gather(&pane).unwrap();
        bank.step(60_000_000, &view).unwrap();
        bank
    }

    #[test]
    fn versions_with_the_same_reference_share_its_banks() {
        let (first, mut second) = (model("1"), model("2"));
        second.share_banks([&first].into_iter());
        let (a, b) = (stepped(&first), stepped(&second));
        assert!(Arc::ptr_eq(&a.banks, &b.banks));
        assert!(!Arc::ptr_eq(&a.banks, &stepped(&model("3")).banks));
    }

    #[test]
    fn the_memory_is_what_is_said() {
        let model = model("1");
        let mut bank = stepped(&model);
        for (column, profiled) in model.spec.profile.columns.iter().enumerate() {
            let profile: &ColumnProfile = &profiled.profile;
            let banks: usize = bank.banks[column].iter().map(Bank::bytes).sum();
            let states: usize = bank.streams[column].iter().map(|s| s.state.bytes()).sum();
            let latches = STREAMS * (size_of::<Stream>() - size_of::<BankState>());
            let (all, said) = (banks + states + latches, bank_bytes(profile));
            let name = &profiled.column.name;
            assert!(
                (all..all + all / 5).contains(&said),
                "{name}: {said} for banks of {banks} and evidence of {states}"
            );
        }
        bank.rest(i64::MAX);
        assert!(bank.is_idle() && bank.banks.is_empty() && bank.streams.is_empty());
    }
}
