//! What all series of one model version share.

use std::sync::{Arc, OnceLock};

use driftline_event::Season;
use driftline_sketch::ColumnSummary;

use crate::baseline::{Source, short};
use crate::calibration::SliceCalibration;
use crate::decision::{Banks, Baseline, Budget, DecisionSpec};
use crate::evaluate::ColumnReference;
use crate::series::Series;
use crate::spec::ModelSpec;
use crate::trailing::Trailing;

/// A model version with what its series are judged by.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) spec: Arc<ModelSpec>,
    /// The reference's own counts, by column.
    own: Vec<ColumnSummary>,
    /// The same, prepared for describing windows.
    pub(crate) references: Vec<ColumnReference>,
    pub(crate) budget: Option<Budget>,
    /// The banks of the model's own reference, once a series has needed them; shared by versions that have the same.
    pub(crate) own_banks: Arc<OnceLock<Banks>>,
    /// The window that covers most.
    longest: usize,
}

/// The same segment of the version that a version is compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer<'a> {
    pub(crate) series: &'a Series,
    /// The start of the first pane of that version.
    pub(crate) covered_from: i64,
}

/// Which series asks, and what is known of its past.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker<'a> {
    pub(crate) segment: Option<&'a str>,
    pub(crate) trailing: Option<&'a Trailing>,
    pub(crate) peer: Option<Peer<'a>>,
}

impl Model {
    pub(crate) fn new(spec: Arc<ModelSpec>) -> Self {
        let columns = &spec.profile.columns;
        let longest = (0..spec.windows.len()).max_by_key(|w| spec.windows[*w].size);
        Self {
            own: columns.iter().map(|c| c.profile.reference()).collect(),
            references: columns
                .iter()
                .map(|c| ColumnReference::new(&c.profile))
                .collect(),
            budget: spec.decision.as_ref().map(|d| Budget::new(&spec, d)),
            own_banks: Arc::default(),
            longest: longest.unwrap_or(0),
            spec,
        }
    }

    /// Shares the banks of the reference with another model that has the same ones.
    pub(crate) fn share_banks<'a>(&mut self, mut others: impl Iterator<Item = &'a Self>) {
        if let Some(other) = others.find(|other| self.has_banks_of(other)) {
            self.own_banks = Arc::clone(&other.own_banks);
        }
    }

    /// Whether the banks of the reference would be equal.
    fn has_banks_of(&self, other: &Self) -> bool {
        let (Some(this), Some(that)) = (&self.spec.decision, &other.spec.decision) else {
            return false;
        };
        let columns = |d: &DecisionSpec| d.calibration.as_ref().map(|c| c.all.columns.clone());
        self.spec.profile.id() == other.spec.profile.id()
            && this.tolerance == that.tolerance
            && this.quality_tolerance == that.quality_tolerance
            && self.spec.column_alarms(this) == other.spec.column_alarms(that)
            && this.step == that.step
            && columns(this) == columns(that)
    }

    fn baseline(&self) -> &Baseline {
        const REFERENCE: &Baseline = &Baseline::Reference;
        self.spec
            .decision
            .as_ref()
            .map_or(REFERENCE, |d| &d.baseline)
    }

    /// The name of the version that this one is compared with.
    pub(crate) fn peer_version(&self) -> Option<&str> {
        match self.baseline() {
            Baseline::Version(version) => Some(version),
            _ => None,
        }
    }

    /// A store of a series' past, if that is the baseline.
    pub(crate) fn trailing(&self) -> Option<Trailing> {
        let decision = self.spec.decision.as_ref()?;
        let Baseline::Trailing { size, lag } = decision.baseline else {
            return None;
        };
        let spans = (size, lag, decision.step);
        Some(Trailing::new(spans, self.spec.pane, &self.spec.profile))
    }

    /// What the calibration knows about a segment, or about all events.
    pub(crate) fn slice(&self, segment: Option<&str>) -> Option<&SliceCalibration> {
        let decision = self.spec.decision.as_ref()?;
        decision.calibration.as_ref()?.slice(segment)
    }

    fn season(&self) -> Season {
        let calibration = self
            .spec
            .decision
            .as_ref()
            .and_then(|d| d.calibration.as_ref());
        calibration.map_or(Season::None, |c| c.season)
    }

    /// The slots of a segment, or of all events, if they are its baseline.
    fn slots(&self, segment: Option<&str>) -> Option<Source<'_>> {
        let slice = self.slice(segment).filter(|s| !s.slots.is_empty())?;
        Some(Source::Slots(self.season(), slice))
    }

    /// What the bank compares a series with; none while there is nothing.
    pub(crate) fn bank_source<'a>(&'a self, asker: Asker<'a>) -> Option<Source<'a>> {
        match self.baseline() {
            Baseline::Reference => match asker.segment {
                Some(segment) => self.slots(Some(segment)),
                None => self.slots(None).or(Some(Source::Own(&self.own))),
            },
            Baseline::Trailing { .. } => trailing_source(asker),
            Baseline::Version(_) => self.peer_source(self.longest, asker),
        }
    }

    /// What a window of a series is compared with; none while that is not known.
    pub(crate) fn window_source<'a>(
        &'a self,
        window: usize,
        asker: Asker<'a>,
    ) -> Option<Source<'a>> {
        match self.baseline() {
            Baseline::Reference => {
                let own = asker.segment.and_then(|segment| self.slots(Some(segment)));
                own.or_else(|| self.slots(None))
                    .or(Some(Source::Own(&self.own)))
            }
            Baseline::Trailing { .. } => trailing_source(asker),
            Baseline::Version(_) => self.peer_source(window, asker),
        }
    }

    fn peer_source<'a>(&'a self, window: usize, asker: Asker<'a>) -> Option<Source<'a>> {
        let Peer {
            series,
            covered_from,
        } = asker.peer?;
        let (until, sum) = series.window(window)?;
        let size = crate::counting::span_micros(self.spec.windows.get(window)?.size);
        (until.saturating_sub(size) >= covered_from && sum.rows > 0)
            .then_some(Source::Sum(until, sum))
    }

    /// Whether a baseline that is not there yet is going to be.
    pub(crate) fn warms_up(&self) -> bool {
        !matches!(self.baseline(), Baseline::Reference)
    }

    /// How reports call the source: the reference's id, and what its bins were filled with if not by itself.
    pub(crate) fn label(&self, source: Option<&Source<'_>>) -> String {
        let id = self.spec.profile.id();
        let Some(source) = source else {
            return id.to_owned();
        };
        match (source, self.baseline()) {
            (Source::Own(_), _) => id.to_owned(),
            (Source::Slots(Season::None, _), _) => format!("{id}@history"),
            (Source::Slots(season, _), _) => format!("{id}@{}", season.as_str()),
            (Source::Sum(..), Baseline::Trailing { size, .. }) => {
                format!("{id}@trailing:{}", short(*size))
            }
            (Source::Sum(..), Baseline::Version(version)) => format!("{id}@version:{version}"),
            (Source::Sum(..), Baseline::Reference) => id.to_owned(),
        }
    }
}

fn trailing_source(asker: Asker<'_>) -> Option<Source<'_>> {
    let (until, sum) = asker.trailing?.reference()?;
    Some(Source::Sum(until, sum))
}
