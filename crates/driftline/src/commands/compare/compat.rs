//! What a peer would have said of the same columns, by its own definitions.

use std::collections::BTreeMap;

use driftline_stat::compat::{self, evidently, nannyml};
use driftline_stat::sample::TestError;

use crate::cli::ComparePeer;
use crate::files::{TableColumn, Values};

/// NannyML's default number of chunks.
const CHUNKS: usize = 10;
/// NannyML's default multiplier of the standard deviation.
const DEVIATIONS: f64 = 3.0;

/// A peer's verdict on a column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub(super) test: &'static str,
    /// A p-value or a distance.
    pub(super) score: f64,
    pub(super) threshold: f64,
    pub(super) drift: bool,
}

/// A peer's verdict on the whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dataset {
    pub(super) peer: ComparePeer,
    pub(super) drifted: usize,
    /// Columns that the peer could judge.
    pub(super) columns: usize,
    /// The share of drifted columns from which the dataset counts as drifted; none where one is enough.
    pub(super) share_min: Option<f64>,
    pub(super) drift: bool,
}

impl Dataset {
    pub(super) fn new(peer: ComparePeer, columns: &[Option<Peer>]) -> Self {
        let known = columns.iter().flatten();
        let (columns, drifted) = known.fold((0, 0), |(n, d), p| (n + 1, d + usize::from(p.drift)));
        let share_min = match peer {
            ComparePeer::Evidently => Some(evidently::DRIFT_SHARE),
            ComparePeer::Nannyml => None,
        };
        let share = drifted as f64 / f64::max(columns as f64, 1.0);
        Self {
            peer,
            drifted,
            columns,
            share_min,
            drift: drifted > 0 && share_min.is_none_or(|min| share >= min),
        }
    }

    /// As a sentence.
    pub(super) fn sentence(self) -> String {
        let (name, drifted, all) = (self.peer.name(), self.drifted, self.columns);
        let Some(min) = self.share_min else {
            return format!("{name} would alert on {drifted} of {all} columns");
        };
        let share = drifted as f64 / f64::max(all as f64, 1.0);
        let word = if self.drift { "drift" } else { "no drift" };
        format!(
            "{name} would call {drifted} of {all} columns drifted, a share of {share:.2} where {min} is needed: {word}"
        )
    }
}

/// What `peer` says of a column; none where it would fail, as on an empty side.
pub(super) fn judge(
    peer: ComparePeer,
    reference: &TableColumn,
    current: &TableColumn,
) -> Option<Peer> {
    let (reference, current) = (Side::new(&reference.values), Side::new(&current.values));
    match peer {
        ComparePeer::Evidently => {
            let found = reference.with(0, 1, |a| current.with(0, 1, |b| evidently::column(a, b)));
            let found = found.ok()?;
            Some(Peer {
                test: found.test.as_str(),
                score: found.score,
                threshold: found.test.threshold(),
                drift: found.drifted,
            })
        }
        ComparePeer::Nannyml => reference
            .with(0, 1, |whole| by_chunks(whole, &reference, &current))
            .ok(),
    }
}

/// Jensen–Shannon distance of the current sample, taken as one chunk, against the threshold of the reference's.
fn by_chunks(
    whole: compat::Values<'_>,
    reference: &Side<'_>,
    current: &Side<'_>,
) -> Result<Peer, TestError> {
    const METHOD: nannyml::Method = nannyml::Method::JensenShannon;
    let fitted = nannyml::Reference::new(whole)?;
    let score = current.with(0, 1, |chunk| fitted.compare(METHOD, chunk))?;
    let chunks: Vec<f64> = (0..CHUNKS)
        .filter_map(|i| {
            reference
                .with(i, CHUNKS, |chunk| fitted.compare(METHOD, chunk))
                .ok()
        })
        .collect();
    let threshold = nannyml::standard_deviation_threshold(&chunks, DEVIATIONS, METHOD.limit());
    let threshold = threshold.ok_or(TestError::Empty)?;
    Ok(Peer {
        test: METHOD.as_str(),
        score,
        threshold,
        drift: score > threshold,
    })
}

/// A column in the order of its rows.
struct Side<'a>(&'a Values);

impl<'a> Side<'a> {
    fn new(values: &'a Values) -> Self {
        Self(values)
    }

    /// Calls `run` with part `i` of `parts` equal runs of rows, without what is missing.
    fn with<T>(&self, i: usize, parts: usize, run: impl FnOnce(compat::Values<'_>) -> T) -> T {
        match self.0 {
            Values::Numbers(values) => {
                let rows = &values[values.len() * i / parts..values.len() * (i + 1) / parts];
                let kept: Vec<f64> = rows.iter().copied().filter(|x| !x.is_nan()).collect();
                run(compat::Values::Numbers(&kept))
            }
            Values::Categories { codes, names } => {
                let rows = &codes[codes.len() * i / parts..codes.len() * (i + 1) / parts];
                let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
                for code in rows {
                    if let Some(name) = names.get(*code as usize) {
                        *counts.entry(name).or_default() += 1;
                    }
                }
                let counts: Vec<(&str, u64)> = counts.into_iter().collect();
                run(compat::Values::Categories(&counts))
            }
        }
    }
}
