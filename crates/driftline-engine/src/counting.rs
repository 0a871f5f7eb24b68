//! The counts of one model and version since the last flush.

use std::sync::Arc;
use std::time::Duration;

use driftline_event::{LayoutId, Row, Timestamp};

use crate::coerce::Cells;
use crate::delta::{Deltas, StartedPane};
use crate::observer::SegmentOverflow;
use crate::partial::{BatchWriter, ModelRef, RawDelta};
use crate::segments::{Placed, SegmentField};
use crate::spec::ModelSpec;
use crate::tile::Tile;

/// One series: all events of the model, or those of one segment.
#[derive(Clone, Debug)]
struct Series {
    segment: Option<String>,
    tile: Tile,
    deltas: Deltas,
}

/// All series of a model. The first is that of all events.
#[derive(Clone, Debug)]
pub(crate) struct ModelCounts {
    pub(crate) spec: Arc<ModelSpec>,
    pane_micros: i64,
    /// How far the front must be past the end of a pane for the pane to be closed.
    hold: Duration,
    last_pane: i64,
    fields: Vec<SegmentField>,
    series: Vec<Series>,
    /// The segments' series that the last row was counted in.
    placed: Vec<u32>,
}

/// A span that [`ModelSpec::problems`] has accepted, in microseconds.
pub(crate) fn span_micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX).max(1)
}

impl ModelCounts {
    pub(crate) fn new(spec: Arc<ModelSpec>) -> Self {
        let all = Series {
            segment: None,
            tile: Tile::new(&spec.profile),
            deltas: Deltas::default(),
        };
        Self {
            pane_micros: span_micros(spec.pane),
            hold: spec.out_of_orderness.saturating_add(spec.allowed_lateness),
            last_pane: 0,
            fields: spec
                .segments
                .iter()
                .map(|name| SegmentField::new(name))
                .collect(),
            series: vec![all],
            placed: Vec::new(),
            spec,
        }
    }

    /// The start of the pane of `at`, in microseconds.
    pub(crate) fn pane_of(&mut self, at: Timestamp) -> i64 {
        let at = at.as_micros();
        // A division takes longer than everything else here.
        if !(0..self.pane_micros).contains(&at.wrapping_sub(self.last_pane)) {
            self.last_pane = at
                .div_euclid(self.pane_micros)
                .saturating_mul(self.pane_micros);
        }
        self.last_pane
    }

    /// Whether the pane that starts at `pane` is closed once the front has come to `front`.
    pub(crate) fn is_closed(&self, pane: i64, front: Timestamp) -> bool {
        front.saturating_sub(self.hold).as_micros() >= pane.saturating_add(self.pane_micros)
    }

    /// Counts a row, which was read into `cells`, in every series that it belongs to.
    pub(crate) fn count(&mut self, pane: i64, row: &Row, cells: &Cells, bytes: &mut usize) {
        self.count_in(0, pane, cells, bytes);
        self.placed.clear();
        if self.fields.is_empty() {
            return;
        }
        for (i, value) in row.segments().take(self.fields.len()).enumerate() {
            let Some(value) = value else { continue };
            let next = self.series.len() as u32;
            let series = match self.fields[i].place(value, next, self.spec.segments_max) {
                Placed::Series(series) => series as usize,
                Placed::New(label) => {
                    let tile = Tile::new(&self.spec.profile);
                    let deltas = Deltas::default();
                    self.series.push(Series {
                        segment: Some(label),
                        tile,
                        deltas,
                    });
                    next as usize
                }
            };
            self.count_in(series, pane, cells, bytes);
            self.placed.push(series as u32);
        }
    }

    /// The series that the last row was counted in besides that of all events; good until the next flush.
    pub(crate) fn placed(&self) -> &[u32] {
        &self.placed
    }

    /// The label of a segment's series.
    pub(crate) fn segment(&self, series: u32) -> &str {
        let series = self.series.get(series as usize);
        series.and_then(|s| s.segment.as_deref()).unwrap_or("")
    }

    fn count_in(&mut self, series: usize, pane: i64, cells: &Cells, bytes: &mut usize) {
        let profile = &*self.spec.profile;
        let Series { tile, deltas, .. } = &mut self.series[series];
        for unseen in cells.unseen() {
            deltas.add_unseen(pane, unseen, profile, bytes);
        }
        if tile.push(pane, cells) {
            tile.count(profile, deltas, bytes);
        }
    }

    /// Writes all deltas, by segment and pane, and forgets them.
    pub(crate) fn flush(&mut self, id: u32, writer: &mut BatchWriter) {
        let profile = &*self.spec.profile;
        let mut deltas: Vec<(Option<&str>, Vec<StartedPane>)> = self
            .series
            .iter_mut()
            .map(
                |Series {
                     segment,
                     tile,
                     deltas,
                 }| {
                    tile.count(profile, deltas, &mut 0);
                    (segment.as_deref(), deltas.take())
                },
            )
            .collect();
        deltas.sort_by_key(|(segment, _)| *segment);
        let model = ModelRef {
            model: &self.spec.model,
            version: &self.spec.version,
            reference: profile.id(),
            pane_micros: self.pane_micros,
        };
        let mut body = Vec::new();
        for (segment, panes) in deltas {
            for (pane, summary) in panes {
                body.clear();
                summary.encode(&mut body);
                let (pane, rows, body) = (Timestamp::from_micros(pane), summary.rows, &body[..]);
                writer.delta(
                    id,
                    model,
                    &RawDelta {
                        model: 0,
                        segment,
                        pane,
                        rows,
                        body,
                    },
                );
            }
        }
    }

    /// The rows beyond the bound on segments since the last flush. If there are any, all segments are
    /// forgotten, so that dead ones make room; call it after [`ModelCounts::flush`].
    pub(crate) fn take_overflows(&mut self, layout: LayoutId) -> Vec<SegmentOverflow> {
        let rows = |field: &mut SegmentField| std::mem::take(&mut field.overflowed);
        let overflows: Vec<SegmentOverflow> = self
            .fields
            .iter_mut()
            .zip(&self.spec.segments)
            .map(|(field, name)| SegmentOverflow {
                layout,
                field: name.clone(),
                rows: rows(field),
            })
            .filter(|overflow| overflow.rows > 0)
            .collect();
        if !overflows.is_empty() {
            self.series.truncate(1);
            self.fields.iter_mut().for_each(SegmentField::clear);
        }
        overflows
    }

    /// Forgets everything since the last flush.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(Arc::clone(&self.spec));
    }
}
