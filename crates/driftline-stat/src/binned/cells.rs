//! Grouping of fine bins into coarse cells.

/// Groups the bins of a numeric column into at most `target` consecutive cells of about equal reference mass,
/// and returns the cell of each bin.
///
/// Cells are numbered from 0 without gaps, and each holds some of the reference. A bin goes where the middle
/// of its cumulative reference mass falls, so a heavy atom gets a cell to itself when its mass is above
/// `2 / target`, and a bin that the reference never hit joins the one before it (leading ones the first that
/// was hit). With an empty reference all bins form one cell.
///
/// ```
/// use driftline_stat::binned;
///
/// let reference = [10, 10, 0, 10, 10, 40];
/// assert_eq!(binned::merge_to_cells(&reference, 4), [0, 0, 0, 1, 1, 2]);
/// ```
pub fn merge_to_cells(reference: &[u64], target: usize) -> Vec<usize> {
    let target = target.max(1) as u128;
    let total: u128 = reference.iter().map(|&c| u128::from(c)).sum();
    let mut before: u128 = 0;
    let mut group: Option<(u128, usize)> = None;
    reference
        .iter()
        .map(|&count| {
            let count = u128::from(count);
            if count > 0 {
                let slot = target.saturating_mul(2 * before + count) / (2 * total);
                before += count;
                group = match group {
                    None => Some((slot, 0)),
                    Some((last, cell)) if last != slot => Some((slot, cell + 1)),
                    same => same,
                };
            }
            group.map_or(0, |(_, cell)| cell)
        })
        .collect()
}

/// Adds up `counts` by the cells that [`merge_to_cells`] returned.
///
/// A count without a cell is left out: give rows of the same length.
///
/// ```
/// use driftline_stat::binned;
///
/// assert_eq!(binned::merge_counts(&[1, 2, 3, 4], &[0, 0, 1, 1]), [3, 7]);
/// ```
pub fn merge_counts(counts: &[u64], cells: &[usize]) -> Vec<u64> {
    let mut merged = vec![0_u64; cells.iter().max().map_or(0, |last| last + 1)];
    for (&count, &cell) in counts.iter().zip(cells) {
        merged[cell] = merged[cell].saturating_add(count);
    }
    merged
}

/// The sum of a row of counts, as a float that cannot overflow.
pub fn total(counts: &[u64]) -> f64 {
    counts.iter().map(|&c| u128::from(c)).sum::<u128>() as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_bins_give_deciles() {
        let cells = merge_to_cells(&[100; 64], 10);
        let merged = merge_counts(&[100; 64], &cells);
        assert_eq!(merged.len(), 10);
        assert!(merged.iter().all(|&c| c == 600 || c == 700), "{merged:?}");
    }

    #[test]
    fn an_empty_reference_is_one_cell() {
        assert_eq!(merge_to_cells(&[0, 0, 0], 10), [0, 0, 0]);
        assert!(merge_to_cells(&[], 10).is_empty());
    }

    proptest! {
        #[test]
        fn every_cell_holds_reference_mass(counts in prop::collection::vec(0_u64..50, 1..80), target in 1_usize..25) {
            let cells = merge_to_cells(&counts, target);
            prop_assert_eq!(cells.len(), counts.len());
            prop_assert!(cells.windows(2).all(|w| w[1] == w[0] || w[1] == w[0] + 1));
            let merged = merge_counts(&counts, &cells);
            prop_assert!(merged.len() <= target);
            prop_assert_eq!(merged.iter().sum::<u64>(), counts.iter().sum::<u64>());
            if counts.iter().any(|&c| c > 0) {
                prop_assert!(merged.iter().all(|&c| c > 0));
            }
        }
    }
}
