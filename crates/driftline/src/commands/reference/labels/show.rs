//! What a reference's labels say, for people and programs.

use driftline_event::Task;
use driftline_sketch::{OutcomeProfile, OutcomeSummary};
use serde_json::json;

use crate::page::number::short;

/// The basic metrics: a name and a value each.
fn basics(outcome: &OutcomeProfile, all: &OutcomeSummary) -> Vec<(&'static str, f64)> {
    let judged = all.judged() as f64;
    let share = |n: u64| n as f64 / judged.max(1.0);
    let mut basics = Vec::new();
    match outcome.task() {
        Task::Binary => {
            if let Some(view) = all.binary() {
                let [_, [missed, hit]] = view.confusion_counts();
                basics.push(("positive", share(missed + hit)));
                basics.push(("accuracy", 1.0 - share(all.errors())));
                if outcome.has_scores() {
                    basics.extend(area(&view).map(|area| ("roc_auc", area)));
                    basics.extend(view.log_loss().map(|loss| ("log_loss", loss.mean)));
                }
            }
        }
        Task::Multiclass => basics.push(("accuracy", 1.0 - share(all.errors()))),
        Task::Regression => {
            if let Some(view) = all.regression(outcome) {
                basics.extend(view.absolute_error().map(|m| ("mae", m.mean)));
                basics.extend(view.squared_error().map(|m| ("rmse", m.mean.sqrt())));
                basics.extend(view.error().map(|m| ("bias", m.mean)));
            }
        }
        Task::Ranking => {
            if let Some(view) = all.ranking() {
                basics.push(("hit_rate_1", share(view.rank_count(0))));
                basics.push(("hit_rate_10", 1.0 - share(view.misses())));
            }
        }
    }
    basics
}

/// The area under the ROC curve; scores of one bin are ties.
fn area(view: &driftline_sketch::BinaryOutcomes<'_>) -> Option<f64> {
    let (mut negatives, mut positives, mut sum) = (0.0, 0.0, 0.0);
    for bin in 0..view.bins() {
        let of = |truth| view.weight(bin, truth, false) + view.weight(bin, truth, true);
        sum += of(true) * (negatives + of(false) / 2.0);
        negatives += of(false);
        positives += of(true);
    }
    let pairs = negatives * positives;
    (pairs > 0.0).then(|| sum / pairs)
}

/// A paragraph.
pub(in crate::commands::reference) fn describe(outcome: &OutcomeProfile) -> String {
    let (reference, all) = (outcome.reference(), outcome.reference().all());
    let mut text = format!(
        "labels: {}, {} of {} predictions{}",
        outcome.task().as_str(),
        all.labelled(),
        reference.predicted().predicted(),
        reference
            .coverage()
            .map_or(String::new(), |share| format!(" ({:.1} %)", 100.0 * share)),
    );
    let delay = |q| all.delays().quantile_seconds(q);
    if let (true, Some(half), Some(most)) = (reference.has_delays(), delay(0.5), delay(0.95)) {
        let minutes = |seconds: f64| short(seconds / 60.0);
        text.push_str(&format!(
            "; delay p50 {} min, p95 {} min",
            minutes(half),
            minutes(most)
        ));
    }
    let classes = outcome.classes();
    match (outcome.positive(), classes.len()) {
        (Some(positive), _) => {
            let threshold = short(outcome.threshold());
            text.push_str(&format!(
                "\npositive class `{positive}`, threshold {threshold}"
            ));
        }
        (None, n) if n > 0 => text.push_str(&format!("\n{n} classes")),
        _ => {}
    }
    let metrics = basics(outcome, &all);
    let metrics: Vec<String> = metrics
        .iter()
        .map(|(name, value)| format!("{name} {value:.4}"))
        .collect();
    text.push_str(&format!("\n{}\n", metrics.join(", ")));
    text
}

/// The same as JSON.
pub(in crate::commands::reference) fn summary(outcome: &OutcomeProfile) -> serde_json::Value {
    let (reference, all) = (outcome.reference(), outcome.reference().all());
    let delay = |q| all.delays().quantile_seconds(q);
    let metrics = basics(outcome, &all).into_iter();
    let metrics: serde_json::Map<String, serde_json::Value> = metrics
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    json!({
        "task": outcome.task(), "classes": outcome.classes(), "positive": outcome.positive(),
        "threshold": outcome.positive().map(|_| outcome.threshold()),
        "predicted": reference.predicted().predicted(), "labelled": all.labelled(),
        "unknown": all.unknown(), "coverage": reference.coverage(),
        "delay_p50_seconds": delay(0.5), "delay_p95_seconds": delay(0.95),
        "metrics": metrics,
    })
}
