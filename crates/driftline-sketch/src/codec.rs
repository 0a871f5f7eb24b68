//! The canonical bytes of a summary.
//!
//! A kind byte, the cells, a byte of flags with the counters that are not zero, then the sums
//! (numeric) or the sample (categorical). Of vectors: a kind byte, how many are valid and how many missing,
//! and, if any is valid, the sum of each feature. Numbers are little-endian base-128 varints of minimal
//! length. In the cells, a zero starts a run of empty cells and is followed by the number of
//! further empty cells in the run; every other number is a count.

use crate::categorical::CategoricalSummary;
use crate::column::{COUNT_MAX, ColumnProfile, ColumnSummary};
use crate::distinct::{self, DistinctSample};
use crate::embedding::EmbeddingSummary;
use crate::moments::Grid;
use crate::numeric::NumericSummary;

const NUMERIC: u8 = 0;
const CATEGORICAL: u8 = 1;
const EMBEDDING: u8 = 2;

/// Why bytes are not a summary of the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside the summary.
    #[error("the summary is cut short")]
    Truncated,
    /// The summary is of another kind of column.
    #[error("the summary is not of the column's kind")]
    Kind,
    /// There are more cells than the column has.
    #[error("the summary has more cells than its column")]
    Cells,
    /// The same summary has a shorter or differently ordered form.
    #[error("the summary is not in canonical form")]
    NotCanonical,
    /// No rows have these counts.
    #[error("the summary contradicts itself")]
    Impossible,
}

pub(crate) fn encode(summary: &ColumnSummary, out: &mut Vec<u8>) {
    match summary {
        ColumnSummary::Numeric(summary) => {
            out.push(NUMERIC);
            write_cells(&summary.counts, out);
            write_counters(&summary.counters(), out);
            write_varint(zigzag(summary.sum), out);
            write_varint(summary.sum_of_squares, out);
            // Most columns stay within the reference's range, and then these sums are zero.
            if summary.below_min > 0 {
                write_varint(zigzag(summary.sum_below), out);
            }
            if summary.above_max > 0 {
                write_varint(zigzag(summary.sum_above), out);
            }
        }
        ColumnSummary::Categorical(summary) => {
            out.push(CATEGORICAL);
            write_cells(&summary.counts, out);
            write_counters(&[summary.unseen, summary.missing, summary.wrong_type], out);
            write_varint(summary.sample.len() as u128, out);
            for (hash, text) in summary.sample.entries() {
                out.extend_from_slice(&hash.to_be_bytes());
                out.push(text.len() as u8);
                out.extend_from_slice(text.as_bytes());
            }
        }
        ColumnSummary::Embedding(summary) => {
            out.push(EMBEDDING);
            write_varint(u128::from(summary.valid), out);
            write_varint(u128::from(summary.missing), out);
            if summary.valid > 0 {
                for sum in &summary.sums {
                    write_varint(u128::from(*sum), out);
                }
            }
        }
    }
}

pub(crate) fn decode(
    input: &mut &[u8],
    profile: &ColumnProfile,
) -> Result<ColumnSummary, DecodeError> {
    match (take_byte(input)?, profile) {
        (NUMERIC, ColumnProfile::Numeric(profile)) => {
            let mut summary = NumericSummary {
                counts: take_cells(input, profile.bins())?,
                ..Default::default()
            };
            summary.set_counters(take_counters(input)?);
            summary.sum = unzigzag(take_varint(input)?);
            summary.sum_of_squares = take_varint(input)?;
            if summary.below_min > 0 {
                summary.sum_below = unzigzag(take_varint(input)?);
            }
            if summary.above_max > 0 {
                summary.sum_above = unzigzag(take_varint(input)?);
            }
            check_numeric(&summary)?;
            Ok(ColumnSummary::Numeric(summary))
        }
        (CATEGORICAL, ColumnProfile::Categorical(profile)) => {
            let counts = take_cells(input, profile.cells())?;
            let [unseen, missing, wrong_type] = take_counters(input)?;
            let sample = take_sample(input, profile.sample_capacity)?;
            let summary = CategoricalSummary {
                counts,
                unseen,
                missing,
                wrong_type,
                sample,
            };
            check_categorical(&summary)?;
            Ok(ColumnSummary::Categorical(summary))
        }
        (EMBEDDING, ColumnProfile::Embedding(profile)) => {
            let mut summary = profile.empty_summary();
            summary.valid = take_u64(input)?;
            summary.missing = take_u64(input)?;
            if summary.valid > 0 {
                for sum in &mut summary.sums {
                    *sum = take_u64(input)?;
                }
            }
            check_embedding(&summary)?;
            Ok(ColumnSummary::Embedding(summary))
        }
        (NUMERIC | CATEGORICAL | EMBEDDING, _) => Err(DecodeError::Kind),
        _ => Err(DecodeError::NotCanonical),
    }
}

/// The sum of counts, which must stay in range.
pub(crate) fn total(counts: impl IntoIterator<Item = u64>) -> Result<u64, DecodeError> {
    let total = counts.into_iter().try_fold(0, u64::checked_add);
    total
        .filter(|total| *total <= COUNT_MAX)
        .ok_or(DecodeError::Impossible)
}

/// Whether rows with these counts and sums can exist.
pub(crate) fn check_numeric(summary: &NumericSummary) -> Result<(), DecodeError> {
    let valid = total(summary.counts.iter().copied())?;
    let [
        missing,
        nan,
        positive,
        negative,
        wrong_type,
        below,
        above,
        clamped,
    ] = summary.counters();
    total([valid, missing, nan, positive, negative, wrong_type])?;
    let possible = total([below, above])? <= valid
        && clamped <= valid
        && Grid::possible(valid, summary.sum, summary.sum_of_squares)
        && Grid::possible(below, summary.sum_below, 0)
        && Grid::possible(above, summary.sum_above, 0);
    if possible {
        Ok(())
    } else {
        Err(DecodeError::Impossible)
    }
}

/// Whether rows with these counts can exist.
pub(crate) fn check_categorical(summary: &CategoricalSummary) -> Result<(), DecodeError> {
    let counters = [summary.unseen, summary.missing, summary.wrong_type];
    total(summary.counts.iter().copied().chain(counters))?;
    Ok(())
}

/// Whether vectors with these sums can exist.
pub(crate) fn check_embedding(summary: &EmbeddingSummary) -> Result<(), DecodeError> {
    if summary.is_possible() {
        Ok(())
    } else {
        Err(DecodeError::Impossible)
    }
}

fn write_cells(counts: &[u64], out: &mut Vec<u8>) {
    let mut rest = counts;
    while let Some((&count, tail)) = rest.split_first() {
        rest = tail;
        write_varint(u128::from(count), out);
        if count == 0 {
            let further = tail.iter().take_while(|count| **count == 0).count();
            write_varint(further as u128, out);
            rest = &tail[further..];
        }
    }
}

fn take_cells(input: &mut &[u8], cells: usize) -> Result<Vec<u64>, DecodeError> {
    let mut counts = Vec::with_capacity(cells);
    let mut after_run = false;
    while counts.len() < cells {
        let count = take_u64(input)?;
        counts.push(count);
        if count != 0 {
            after_run = false;
            continue;
        }
        if after_run {
            return Err(DecodeError::NotCanonical);
        }
        after_run = true;
        let further = take_u64(input)?;
        if further > (cells - counts.len()) as u64 {
            return Err(DecodeError::Cells);
        }
        counts.resize(counts.len() + further as usize, 0);
    }
    Ok(counts)
}

/// At most eight counters.
fn write_counters(counters: &[u64], out: &mut Vec<u8>) {
    let flag = |(i, count): (usize, &u64)| u8::from(*count != 0) << i;
    out.push(counters.iter().enumerate().map(flag).sum());
    for count in counters.iter().filter(|count| **count != 0) {
        write_varint(u128::from(*count), out);
    }
}

fn take_counters<const N: usize>(input: &mut &[u8]) -> Result<[u64; N], DecodeError> {
    let flags = take_byte(input)?;
    let mut counters = [0; N];
    if u32::from(flags) >> N != 0 {
        return Err(DecodeError::NotCanonical);
    }
    let set = counters
        .iter_mut()
        .enumerate()
        .filter(|(i, _)| flags >> i & 1 == 1);
    for (_, count) in set {
        *count = take_u64(input)?;
        if *count == 0 {
            return Err(DecodeError::NotCanonical);
        }
    }
    Ok(counters)
}

fn take_sample(input: &mut &[u8], capacity: usize) -> Result<DistinctSample, DecodeError> {
    let mut sample = DistinctSample::new(capacity);
    let mut last = None;
    let length = take_u64(input)?;
    if length > capacity as u64 {
        return Err(DecodeError::Impossible);
    }
    for _ in 0..length {
        let (hash, rest) = input
            .split_first_chunk::<8>()
            .ok_or(DecodeError::Truncated)?;
        *input = rest;
        let hash = u64::from_be_bytes(*hash);
        if last.is_some_and(|last| last >= hash) {
            return Err(DecodeError::NotCanonical);
        }
        last = Some(hash);
        let bytes = usize::from(take_byte(input)?);
        let (text, rest) = input
            .split_at_checked(bytes)
            .ok_or(DecodeError::Truncated)?;
        *input = rest;
        let text = std::str::from_utf8(text).map_err(|_| DecodeError::Impossible)?;
        if !distinct::is_possible(hash, text) {
            return Err(DecodeError::Impossible);
        }
        sample.insert(hash, text);
    }
    Ok(sample)
}

pub(crate) fn zigzag(value: i128) -> u128 {
    ((value << 1) ^ (value >> 127)) as u128
}

pub(crate) fn unzigzag(value: u128) -> i128 {
    (value >> 1) as i128 ^ -((value & 1) as i128)
}

pub(crate) fn write_varint(mut value: u128, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn take_byte(input: &mut &[u8]) -> Result<u8, DecodeError> {
    let (byte, rest) = input.split_first().ok_or(DecodeError::Truncated)?;
    *input = rest;
    Ok(*byte)
}

pub(crate) fn take_u64(input: &mut &[u8]) -> Result<u64, DecodeError> {
    u64::try_from(take_varint(input)?).map_err(|_| DecodeError::Impossible)
}

pub(crate) fn take_varint(input: &mut &[u8]) -> Result<u128, DecodeError> {
    let mut value = 0_u128;
    for shift in (0..128).step_by(7) {
        let byte = take_byte(input)?;
        let bits = u128::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            return Err(DecodeError::Impossible);
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            // A last byte of zero says nothing, unless it is the only one.
            return if byte == 0 && shift > 0 {
                Err(DecodeError::NotCanonical)
            } else {
                Ok(value)
            };
        }
    }
    Err(DecodeError::NotCanonical)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NumericProfile, ProfileOptions};

    fn column() -> ColumnProfile {
        let values: Vec<f64> = (0..10).map(f64::from).collect();
        let options = ProfileOptions {
            bins: 4,
            ..Default::default()
        };
        ColumnProfile::Numeric(NumericProfile::build(&values, &options))
    }

    #[test]
    fn the_bytes_are_these() {
        let ColumnProfile::Numeric(profile) = column() else {
            unreachable!("built as numeric")
        };
        let mut summary = profile.empty_summary();
        profile.add_column(&[4.0, 4.0, crate::MISSING, f64::NAN], &mut summary);
        let mut bytes = Vec::new();
        ColumnSummary::Numeric(summary).encode(&mut bytes);
        // Kind; two empty bins, two values, two empty bins; missing and NaN once each; two sums of
        // zero.
        assert_eq!(bytes, [0, 0, 1, 2, 0, 1, 0b11, 1, 1, 0, 0]);
    }

    #[test]
    fn other_forms_of_the_same_summary_are_refused() {
        let read = |bytes: &[u8]| decode(&mut &bytes[..], &column());
        assert!(read(&[0, 0, 4, 0, 0, 0]).is_ok());
        for (bytes, error) in [
            (&[0, 0, 1, 0, 2, 0, 0, 0][..], DecodeError::NotCanonical), // Two runs side by side.
            (&[0, 0, 0x84, 0, 0, 0, 0], DecodeError::NotCanonical),     // A longer varint.
            (&[0, 0, 4, 1, 0, 0, 0], DecodeError::NotCanonical),        // A flag without a count.
            (&[0, 0, 5, 0, 0, 0], DecodeError::Cells),
            (&[0, 0, 4, 0, 0], DecodeError::Truncated),
            (&[1, 0, 4, 0, 0], DecodeError::Kind),
            (&[2, 0, 4, 0, 0, 0], DecodeError::Kind),
            (&[3, 0, 4, 0, 0, 0], DecodeError::NotCanonical),
            (&[0, 0, 4, 0, 1, 0], DecodeError::Impossible), // A sum of no values.
            (&[0, 0, 4, 0x20, 1, 0, 0, 0], DecodeError::Impossible), // More below the minimum than there are.
        ] {
            assert_eq!(read(bytes), Err(error), "{bytes:?}");
        }
        let far = [&[0, 0, 4][..], &[1], &[0xff; 30]].concat();
        assert!(read(&far).is_err());
    }
}
