//! What the counts of a window say about a column.
//!
//! | Statistic | Numeric | Categorical | Cells |
//! | --- | --- | --- | --- |
//! | `ks`, `wasserstein`, `wasserstein_normalised` | yes | – | all bins |
//! | `psi`, `jensen_shannon`, `hellinger`, `total_variation`, `chi_square` | yes | yes | numeric: about ten of equal reference mass; categorical: every category and one cell for the unseen |
//! | `mmd`, `missing_ratio` | – | – | embeddings only: the mean of the random features |
//! | `missing_ratio`, `invalid_ratio` | yes | yes | of all events |
//! | `out_of_range_ratio` | yes | – | of valid values |
//! | `unseen_ratio` | – | yes | of valid values |
//!
//! A statistic that rests on no value is left out rather than made up.

mod embedding;

use driftline_event::{Quality, Statistic, StatisticValue};
use driftline_sketch::{
    CategoricalSummary, ColumnProfile, ColumnSummary, EmbeddingSummary, NumericProfile,
    NumericSummary,
};
use driftline_stat::binned::{self, Outside};

/// Numeric bins are merged to about so many cells before cell-wise divergences are taken.
const NUMERIC_CELLS: usize = 10;

/// The reference's side of a column, prepared once.
#[derive(Clone, Debug, Default)]
pub(crate) struct ColumnReference {
    /// The cell of each bin; numeric columns only.
    cell_of_bin: Vec<usize>,
    /// The reference's counts by cell.
    cells: Vec<u64>,
    /// The reference's counts by bin, and what of it is beyond the range; numeric columns only.
    bins: Vec<u64>,
    outside: Outside,
    /// The reference's features; embeddings only.
    vectors: EmbeddingSummary,
    /// Valid values of the reference.
    pub(crate) valid: u64,
}

/// A column of a window, described.
#[derive(Clone, Debug)]
pub(crate) struct Description {
    pub(crate) valid: u64,
    pub(crate) statistics: Vec<StatisticValue>,
    pub(crate) quality: Quality,
    pub(crate) mean: Option<f64>,
    pub(crate) standard_deviation: Option<f64>,
}

impl ColumnReference {
    /// The reference that the column was cut by.
    pub(crate) fn new(profile: &ColumnProfile) -> Self {
        Self::of(profile, &profile.reference())
    }

    /// Another reference in the same cells. The bins are merged as those of the column's own.
    pub(crate) fn of(profile: &ColumnProfile, counts: &ColumnSummary) -> Self {
        match (profile, counts) {
            (ColumnProfile::Numeric(p), ColumnSummary::Numeric(s)) => {
                let cell_of_bin = binned::merge_to_cells(&p.reference().counts, NUMERIC_CELLS);
                Self {
                    cells: binned::merge_counts(&s.counts, &cell_of_bin),
                    cell_of_bin,
                    bins: s.counts.clone(),
                    outside: outside(p, s),
                    valid: s.valid(),
                    ..Self::default()
                }
            }
            (ColumnProfile::Categorical(_), ColumnSummary::Categorical(s)) => Self {
                cells: with_unseen(s),
                valid: s.valid(),
                ..Self::default()
            },
            (ColumnProfile::Embedding(_), ColumnSummary::Embedding(s)) => Self {
                valid: s.valid,
                vectors: s.clone(),
                ..Self::default()
            },
            // Counts are made and read with the profile of their column.
            _ => Self::default(),
        }
    }

    /// Describes `summary`, which holds `rows` rows, against this reference.
    pub(crate) fn describe(
        &self,
        profile: &ColumnProfile,
        summary: &ColumnSummary,
        rows: u64,
    ) -> Description {
        match (profile, summary) {
            (ColumnProfile::Numeric(p), ColumnSummary::Numeric(s)) => self.numeric(p, s, rows),
            (ColumnProfile::Categorical(_), ColumnSummary::Categorical(s)) => {
                self.categorical(s, rows)
            }
            (ColumnProfile::Embedding(p), ColumnSummary::Embedding(s)) => {
                embedding::describe(p, &self.vectors, s, rows)
            }
            // Summaries are made and read with the profile of their column.
            _ => Description {
                valid: 0,
                statistics: Vec::new(),
                quality: Quality::default(),
                mean: None,
                standard_deviation: None,
            },
        }
    }

    fn numeric(&self, profile: &NumericProfile, s: &NumericSummary, rows: u64) -> Description {
        let (reference, current) = (&self.bins, &s.counts);
        let (n, m, bins) = (self.valid, s.valid(), profile.bins());
        let mut found = Found::default();
        if let Some(distance) = binned::kolmogorov_smirnov(reference, current) {
            let floor = binned::kolmogorov_smirnov_floor(bins, n, m);
            let p = binned::kolmogorov_smirnov_p_value(distance, bins, n, m);
            found.push(Statistic::KolmogorovSmirnov, Some(distance), floor, p);
        }
        let (minimum, maximum) = (profile.minimum(), profile.maximum());
        let outside = self.beyond(outside(profile, s), m);
        let bounds = profile.upper_bounds();
        let distance = binned::wasserstein(bounds, minimum, maximum, reference, current, outside);
        found.push(Statistic::Wasserstein, distance, None, None);
        let scale = profile.standard_deviation();
        let normalised = distance.filter(|_| scale > 0.0).map(|d| d / scale);
        found.push(Statistic::WassersteinNormalised, normalised, None, None);
        self.divergences(
            &binned::merge_counts(current, &self.cell_of_bin),
            m,
            &mut found,
        );
        found.ratio(Statistic::MissingRatio, s.missing, rows);
        found.ratio(Statistic::InvalidRatio, s.invalid(), rows);
        found.ratio(
            Statistic::OutOfRangeRatio,
            s.below_min.saturating_add(s.above_max),
            m,
        );
        Description {
            valid: m,
            statistics: found.0,
            quality: Quality {
                missing: s.missing,
                nan: s.nan,
                infinite: s.positive_infinity.saturating_add(s.negative_infinity),
                wrong_type: s.wrong_type,
                below_min: s.below_min,
                above_max: s.above_max,
                unseen: 0,
            },
            mean: profile.mean(s),
            standard_deviation: profile.standard_deviation_of(s),
        }
    }

    /// What `current`, of `m` values, has beyond the range more than this reference has there. The column's own has nothing,
    /// and the area is exact; for another one it is a lower bound.
    fn beyond(&self, current: Outside, m: u64) -> Outside {
        if self.outside == Outside::default() || self.valid == 0 {
            return current;
        }
        let scale = m as f64 / self.valid as f64;
        let more = |n: u64, of: u64| n.saturating_sub((of as f64 * scale).round() as u64);
        Outside {
            below: more(current.below, self.outside.below),
            above: more(current.above, self.outside.above),
            distance: (current.distance - self.outside.distance * scale).abs(),
        }
    }

    fn categorical(&self, s: &CategoricalSummary, rows: u64) -> Description {
        let valid = s.valid();
        let mut found = Found::default();
        self.divergences(&with_unseen(s), valid, &mut found);
        found.ratio(Statistic::MissingRatio, s.missing, rows);
        found.ratio(Statistic::InvalidRatio, s.wrong_type, rows);
        found.ratio(Statistic::UnseenRatio, s.unseen, valid);
        Description {
            valid,
            statistics: found.0,
            quality: Quality {
                missing: s.missing,
                wrong_type: s.wrong_type,
                unseen: s.unseen,
                ..Quality::default()
            },
            mean: None,
            standard_deviation: None,
        }
    }

    /// The statistics that only ask how much is in each cell, in the order of [`Statistic::ALL`].
    fn divergences(&self, current: &[u64], m: u64, found: &mut Found) {
        let (reference, n) = (&self.cells, self.valid);
        // Cells that neither side uses carry no noise.
        let used = reference
            .iter()
            .zip(current)
            .filter(|(a, b)| **a > 0 || **b > 0)
            .count();
        let psi = binned::psi(reference, current);
        found.push(Statistic::Psi, psi, binned::psi_floor(used, n, m), None);
        let distance = binned::jensen_shannon(reference, current);
        let floor = binned::jensen_shannon_floor(used, n, m);
        found.push(Statistic::JensenShannon, distance, floor, None);
        let distance = binned::hellinger(reference, current);
        found.push(
            Statistic::Hellinger,
            distance,
            binned::hellinger_floor(used, n, m),
            None,
        );
        let distance = binned::total_variation(reference, current);
        let floor = binned::total_variation_floor(used, n, m);
        found.push(Statistic::TotalVariation, distance, floor, None);
        if let Some(test) = binned::chi_square(reference, current) {
            let floor = Some(test.degrees_of_freedom as f64);
            found.push(
                Statistic::ChiSquare,
                Some(test.statistic),
                floor,
                Some(test.p_value),
            );
        }
    }
}

/// What of a column is beyond the range of the reference that it was cut by.
fn outside(profile: &NumericProfile, s: &NumericSummary) -> Outside {
    Outside {
        below: s.below_min,
        above: s.above_max,
        distance: profile.distance_outside(s),
    }
}

/// The counts of all cells and, as the last one, of the unseen.
fn with_unseen(summary: &CategoricalSummary) -> Vec<u64> {
    summary
        .counts
        .iter()
        .copied()
        .chain([summary.unseen])
        .collect()
}

/// Statistics in the order of [`Statistic::ALL`].
#[derive(Debug, Default)]
struct Found(Vec<StatisticValue>);

impl Found {
    fn push(
        &mut self,
        statistic: Statistic,
        value: Option<f64>,
        floor: Option<f64>,
        p_value: Option<f64>,
    ) {
        if let Some(value) = value.filter(|v| v.is_finite()) {
            let (floor, p_value) = (
                floor.filter(|f| f.is_finite()),
                p_value.filter(|p| p.is_finite()),
            );
            self.0.push(StatisticValue {
                statistic,
                value,
                floor,
                p_value,
            });
        }
    }

    fn ratio(&mut self, statistic: Statistic, part: u64, whole: u64) {
        let value = (whole > 0).then(|| part as f64 / whole as f64);
        self.push(statistic, value, None, None);
    }
}

#[cfg(test)]
mod tests {
    use driftline_event::ColumnRole;
    use driftline_sketch::{
        MISSING, ProfileOptions, ReferenceBuilder, ReferenceProfile, WRONG_TYPE,
    };

    use super::*;

    fn reference() -> ReferenceProfile {
        let mut builder = ReferenceBuilder::new("m", "1", ProfileOptions::default());
        let numbers = (0..1_000).map(f64::from).collect();
        builder.numeric("x", ColumnRole::Feature, numbers).unwrap();
        let names = (0..1_000).map(|i| Some(if i % 4 == 0 { "a" } else { "b" }));
        builder
            .categorical("c", ColumnRole::Feature, names)
            .unwrap();
        builder.build().unwrap()
    }

    fn value(description: &Description, statistic: Statistic) -> Option<f64> {
        description
            .statistics
            .iter()
            .find(|s| s.statistic == statistic)
            .map(|s| s.value)
    }

    #[test]
    fn the_reference_does_not_differ_from_itself() {
        for column in &reference().columns {
            let described = ColumnReference::new(&column.profile);
            let described = described.describe(&column.profile, &column.profile.reference(), 1_000);
            assert_eq!(described.valid, 1_000);
            for s in &described.statistics {
                assert!(s.value.abs() < 1e-9, "{s:?}");
                assert!(s.p_value.is_none_or(|p| p > 0.999), "{s:?}");
            }
            let order: Vec<_> = described.statistics.iter().map(|s| s.statistic).collect();
            assert!(order.is_sorted(), "{order:?}");
        }
    }

    #[test]
    fn a_shift_is_its_own_size_in_units_and_in_standard_deviations() {
        let reference = reference();
        let ColumnProfile::Numeric(p) = &reference.columns[0].profile else {
            unreachable!()
        };
        let mut summary = p.empty_summary();
        let values: Vec<f64> = (0..1_000).map(|i| f64::from((i + 100).min(999))).collect();
        p.add_column(&values, &mut summary);
        let profile = &reference.columns[0].profile;
        let described = ColumnReference::new(profile).describe(
            profile,
            &ColumnSummary::Numeric(summary),
            1_000,
        );
        let distance = value(&described, Statistic::Wasserstein).unwrap();
        assert!((distance - 95.0).abs() < 1.0, "{distance}");
        let normalised = value(&described, Statistic::WassersteinNormalised).unwrap();
        assert!((normalised - distance / 288.8).abs() < 1e-3, "{normalised}");
        let ks = value(&described, Statistic::KolmogorovSmirnov).unwrap();
        assert!((ks - 0.1).abs() < 0.005, "{ks}");
    }

    #[test]
    fn ratios_have_the_denominators_they_state() {
        let reference = reference();
        let profile = &reference.columns[0].profile;
        let ColumnProfile::Numeric(p) = profile else {
            unreachable!()
        };
        let mut summary = p.empty_summary();
        p.add_column(&[MISSING, WRONG_TYPE, f64::NAN, 5_000.0, 5.0], &mut summary);
        let described =
            ColumnReference::new(profile).describe(profile, &ColumnSummary::Numeric(summary), 5);
        assert_eq!(value(&described, Statistic::MissingRatio), Some(0.2));
        assert_eq!(value(&described, Statistic::InvalidRatio), Some(0.4));
        assert_eq!(value(&described, Statistic::OutOfRangeRatio), Some(0.5));
        let empty = ColumnReference::new(profile).describe(profile, &profile.empty_summary(), 0);
        assert!(empty.statistics.is_empty() && empty.mean.is_none());
    }
}
