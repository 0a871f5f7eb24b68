//! From scores to probabilities, bin by bin.

use driftline_event::Task;
use driftline_sketch::{OutcomeProfile, OutcomeRow, Scored, Truth};
use driftline_stat::estimate::IsotonicCalibration;

/// Binary digits of a stored probability, so that the order of the rows makes no difference to it.
const BITS: u32 = 40;

/// Replaces the share of positives in each bin by the mean of the calibrated scores there: isotonic regression of the
/// labels on the scores, which knows that more score is more probability.
pub(super) fn calibrate(outcome: &mut OutcomeProfile, rows: &[OutcomeRow]) {
    let classes = match outcome.task() {
        Task::Binary => 1,
        Task::Multiclass if outcome.has_scores() => outcome.classes().len(),
        Task::Multiclass | Task::Regression | Task::Ranking => 0,
    };
    for class in 0..classes {
        if let Some(probabilities) = probabilities(outcome, rows, class) {
            outcome.set_calibration(class, &probabilities);
        }
    }
}

fn probabilities(outcome: &OutcomeProfile, rows: &[OutcomeRow], class: usize) -> Option<Vec<f64>> {
    let is_binary = outcome.task() == Task::Binary;
    let positive = if is_binary { 1 } else { class };
    let (mut scores, mut outcomes, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        let (Some(score), Some(label)) = (score_of(&row.scored, class), row.label) else {
            continue;
        };
        let Truth::Class(truth) = label.truth else {
            continue;
        };
        // A third class of two says nothing of either.
        if is_binary && truth > 1 {
            continue;
        }
        scores.push(score);
        outcomes.push(f64::from(u8::from(usize::from(truth) == positive)));
        weights.push(label.weight);
    }
    let calibration = IsotonicCalibration::fit(&scores, &outcomes, Some(&weights))?;
    let bins = match is_binary {
        true => outcome.score_bins(),
        false => outcome.class_bins(class)?,
    };
    let mut sums = vec![(0_u64, 0.0); bins.count()];
    for score in rows.iter().filter_map(|row| score_of(&row.scored, class)) {
        let (n, sum) = &mut sums[bins.bin(score)];
        *n += 1;
        *sum += calibration.calibrate(score);
    }
    let known = outcome.probability_bins(class);
    let one = (1_u64 << BITS) as f64;
    // The last bin of several classes is of predictions without a score of this class: their share stays.
    let calibrated = known.iter().enumerate().map(|(i, bin)| match sums.get(i) {
        Some((0, _)) => calibration.calibrate(bin.score),
        Some((n, sum)) => sum / *n as f64,
        None => bin.probability,
    });
    let rounded = calibrated.map(|p| ((p * one).round() / one).clamp(0.0, 1.0));
    Some(rounded.collect())
}

/// The score of the positive class, or of one of several.
fn score_of(scored: &Scored, class: usize) -> Option<f64> {
    match scored {
        Scored::Binary { score, .. } => Some(*score),
        Scored::Multiclass { top, .. } => {
            let best = top
                .iter()
                .find(|best| !best.is_none() && usize::from(best.class) == class);
            best.map(|best| f64::from(best.probability))
        }
        Scored::Regression { .. } | Scored::Ranking { .. } => None,
    }
}
