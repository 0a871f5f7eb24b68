//! The canonical bytes of summaries of outcomes.
//!
//! The number of outcomes as a varint; if there are any: those that are not judged, the delays, the cells, the sums
//! (zigzag), a byte that says whether weights follow, and then Σw, Σw², the weighted cells and sums. Cells are
//! written as the number of filled ones and, for each, the number of empty cells before it and what it holds.

use super::cells::Cells;
use super::summary::{OutcomeSummary, Weighted};
use super::terms::Shape;
use crate::codec::{
    DecodeError, take_byte, take_u64, take_varint, total, unzigzag, write_varint, zigzag,
};
use crate::column::COUNT_MAX;

pub(super) fn encode(summary: &OutcomeSummary, out: &mut Vec<u8>) {
    write_varint(u128::from(summary.labelled), out);
    if summary.labelled == 0 {
        return;
    }
    write_varint(u128::from(summary.unknown), out);
    Cells::Dense(summary.delays.counts.to_vec()).encode(out);
    summary.cells.encode(out);
    let sums = |sums: &[i128], out: &mut Vec<u8>| {
        sums.iter().for_each(|sum| write_varint(zigzag(*sum), out));
    };
    sums(&summary.sums, out);
    out.push(u8::from(summary.weighted.is_some()));
    if let Some(weighted) = &summary.weighted {
        write_varint(weighted.weights, out);
        write_varint(weighted.squares, out);
        weighted.cells.encode(out);
        sums(&weighted.sums, out);
    }
}

pub(super) fn decode(input: &mut &[u8], shape: Shape) -> Result<OutcomeSummary, DecodeError> {
    let mut summary = OutcomeSummary::with_shape(shape);
    summary.labelled = take_u64(input)?;
    if summary.labelled == 0 {
        return Ok(summary);
    }
    summary.unknown = take_u64(input)?;
    if let Cells::Dense(delays) = Cells::decode(input, summary.delays.counts.len())? {
        summary.delays.counts.copy_from_slice(&delays);
    }
    summary.cells = Cells::decode(input, shape.cells())?;
    take_sums(input, &mut summary.sums)?;
    match take_byte(input)? {
        0 => {}
        1 => {
            let mut weighted = Weighted {
                weights: take_varint(input)?,
                squares: take_varint(input)?,
                cells: Cells::decode(input, shape.cells())?,
                sums: vec![0; shape.sums()],
            };
            take_sums(input, &mut weighted.sums)?;
            summary.weighted = Some(Box::new(weighted));
        }
        _ => return Err(DecodeError::NotCanonical),
    }
    check(&summary)?;
    Ok(summary)
}

fn take_sums(input: &mut &[u8], sums: &mut [i128]) -> Result<(), DecodeError> {
    for sum in sums {
        *sum = unzigzag(take_varint(input)?);
    }
    Ok(())
}

/// Whether outcomes with these counts can exist, as far as is told by their numbers.
fn check(summary: &OutcomeSummary) -> Result<(), DecodeError> {
    let possible = |yes: bool| {
        if yes {
            Ok(())
        } else {
            Err(DecodeError::Impossible)
        }
    };
    possible(summary.labelled <= COUNT_MAX && summary.unknown <= summary.labelled)?;
    possible(total(summary.delays.counts)? <= summary.labelled)?;
    let mut counts = [0_u64; 3];
    let group = groups(summary.shape);
    for (cell, count) in summary.cells.filled() {
        let sum = &mut counts[group(cell)];
        *sum = total([*sum, count])?;
    }
    let judged = summary.judged();
    let used = summary.shape.groups().map(|cells| cells > 0);
    possible(
        counts
            .iter()
            .zip(used)
            .all(|(n, used)| *n == if used { judged } else { 0 }),
    )?;
    let n = u128::from(judged);
    for (i, sum) in summary.sums.iter().enumerate() {
        let limit = n.saturating_mul(summary.shape.term_max(i));
        possible(sum.unsigned_abs() <= limit)?;
    }
    match &summary.weighted {
        Some(weighted) => check_weighted(summary, weighted),
        None => Ok(()),
    }
}

fn check_weighted(summary: &OutcomeSummary, weighted: &Weighted) -> Result<(), DecodeError> {
    let possible = |yes: bool| {
        if yes {
            Ok(())
        } else {
            Err(DecodeError::Impossible)
        }
    };
    if OutcomeSummary::are_ones(summary.labelled, weighted.weights, weighted.squares) {
        return Err(DecodeError::NotCanonical);
    }
    // A weight is at most 2^32 of its units.
    let n = u128::from(summary.labelled);
    possible(weighted.weights <= n << 32 && (weighted.squares >> 64) <= n)?;
    let mut weights = [0_u128; 3];
    let group = groups(summary.shape);
    for (cell, weight) in weighted.cells.filled() {
        possible(weight <= u128::from(summary.cells.at(cell)) << 32)?;
        let sum = &mut weights[group(cell)];
        *sum = sum.checked_add(weight).ok_or(DecodeError::Impossible)?;
    }
    possible(weights.iter().all(|sum| *sum <= weighted.weights))?;
    for (i, sum) in weighted.sums.iter().enumerate() {
        let limit = weighted.weights.saturating_mul(summary.shape.term_max(i));
        possible(sum.unsigned_abs() <= limit)?;
    }
    Ok(())
}

/// Tells which group a cell is in.
fn groups(shape: Shape) -> impl Fn(usize) -> usize {
    let [first, second, _] = shape.groups();
    move |cell| usize::from(cell >= first) + usize::from(cell >= first + second)
}
