//! One step of the labels' part of the budget: its alarm, and whose it is.

use std::collections::BTreeMap;

use driftline_detect::bank;
use driftline_detect::{BANK, Persistence, Phase, Reading, Transition, incident};
use driftline_event::{AlertKind, Evidence, Statistic, Timestamp, WindowSpan};

use super::alert::{LabelAlert, OfBank};
use super::level::{Cleared, Moved};
use super::model::{LabelModel, Level};
use super::rules::bucket_span;
use super::series::{Matured, OutcomeSeries};
use super::streams::{StreamKind, shown};
use crate::decision::WARNING_BUDGET;
use crate::output::{JudgedBucket, Output};

/// The alert of late labels fires after so many buckets in a row without enough of them, and is resolved after as many
/// with.
const LATE_CLOSES: u32 = 3;
/// What the rule on missing labels is called.
const LATE: &str = "labels_late";

type AllSeries = BTreeMap<Option<String>, OutcomeSeries>;

/// Judges every bucket of which a level of labels is complete at `end`, and says what was in it if that is asked for.
pub(crate) fn judge(
    all: &mut AllSeries,
    model: &LabelModel,
    (end, emit_judged): (i64, bool),
    out: &mut Vec<Output>,
) {
    let mut has_stepped = false;
    for level in 0..model.levels.len() {
        let is_last = level + 1 == model.levels.len();
        // Where all events lack labels, segments do so as well.
        let mut all_late = false;
        for series in all.values_mut() {
            let Some(matured) = series.mature(model, level, end) else {
                continue;
            };
            if is_last {
                late(series, model, (&matured, end), &mut all_late, out);
            }
            if !is_covered(model, level, &matured) {
                continue;
            }
            if emit_judged && !matured.outcomes.is_empty() {
                let judged = judged(model, (level, &matured), series.segment.clone());
                out.push(Output::Judged(judged));
            }
            if is_last {
                let segment = series.segment.clone();
                let looked = (&matured, end);
                let drifts = series.rules.detect(model, segment.as_deref(), looked);
                out.extend(drifts.into_iter().map(Output::Alert));
            }
            has_stepped |= step(series, model, (level, end), &matured, out);
        }
    }
    if has_stepped {
        decide(all, model, end, out);
    }
}

/// What is in a bucket.
fn judged(
    model: &LabelModel,
    (level, matured): (usize, &Matured),
    segment: Option<String>,
) -> JudgedBucket {
    JudgedBucket {
        model: model.spec.model.clone(),
        version: model.spec.version.clone(),
        segment,
        after: model.levels.get(level).map(Level::age).unwrap_or_default(),
        start: Timestamp::from_micros(matured.bucket),
        labels: matured.outcomes.labelled(),
        tallies: model.streams.read(&model.profile, &matured.outcomes),
    }
}

/// Whether enough labels have come by the end of a level.
fn is_covered(model: &LabelModel, level: usize, matured: &Matured) -> bool {
    let least = model.levels.get(level).and_then(|l| l.coverage_min);
    let coverage = matured.coverage().unwrap_or(0.0);
    least.is_none_or(|least| coverage >= least)
}

/// Steps one level of one series; whether it had labels to judge.
fn step(
    series: &mut OutcomeSeries,
    model: &LabelModel,
    (level, end): (usize, i64),
    matured: &Matured,
    out: &mut Vec<Output>,
) -> bool {
    let segment = series.segment.clone();
    let Some(state) = series.levels.get_mut(level) else {
        return false;
    };
    let Some(cleared) = state.step(model, matured.bucket, &matured.outcomes) else {
        return false;
    };
    for cleared in cleared {
        let Cleared {
            stream,
            alarm,
            evidence,
        } = cleared;
        let Some(moved) = state.moved_since(model, stream, &alarm, end) else {
            continue;
        };
        let transition = Transition::Resolved {
            started_at: Timestamp::from_micros(alarm.started_at),
            ended_at: Timestamp::from_micros(end),
        };
        let told = Told {
            place: (level, stream),
            segment: segment.as_deref(),
            moved,
            evidence,
            incident: &alarm.incident,
        };
        out.push(bank_alert(model, told, transition, end));
    }
    true
}

/// Lets the streams with most evidence fire if all together have enough of it.
fn decide(all: &mut AllSeries, model: &LabelModel, end: i64, out: &mut Vec<Output>) {
    let Some(budget) = &model.budget else { return };
    let mut places = Vec::new();
    let mut weighted = Vec::new();
    for (segment, series) in all.iter() {
        for (level, state) in series.levels.iter().enumerate() {
            let before = weighted.len();
            state.weighted(model, &mut weighted);
            let streams = 0..weighted.len() - before;
            places.extend(streams.map(|stream| (segment.clone(), level, stream)));
        }
    }
    let fired = bank::decide(&weighted, budget.threshold);
    for &stream in &fired {
        if let Some(weighted) = weighted.get_mut(stream) {
            *weighted = 0.0;
        }
    }
    let warned = bank::decide(&weighted, budget.threshold / WARNING_BUDGET);
    let (spec, at) = (&model.spec, Timestamp::from_micros(end));
    // Not the same alarm as one of the columns that is raised at the same instant.
    let incident = incident(&spec.model, &format!("{} labels", spec.version), at);
    for (i, (segment, level, stream)) in places.into_iter().enumerate() {
        let Some(state) = all.get_mut(&segment).and_then(|s| s.levels.get_mut(level)) else {
            continue;
        };
        state.warn(stream, warned.contains(&i));
        if !fired.contains(&i) {
            continue;
        }
        let Some((moved, evidence)) = state.fire(model, stream, (end, &incident)) else {
            continue;
        };
        let told = Told {
            place: (level, stream),
            segment: segment.as_deref(),
            moved,
            evidence,
            incident: &incident,
        };
        let transition = Transition::Fired { started_at: at };
        out.push(bank_alert(model, told, transition, end));
    }
}

/// What is said about an alert of the bank.
struct Told<'a> {
    /// Level and stream.
    place: (usize, usize),
    segment: Option<&'a str>,
    moved: Moved,
    evidence: f64,
    incident: &'a str,
}

fn bank_alert(model: &LabelModel, told: Told<'_>, transition: Transition, end: i64) -> Output {
    let Told {
        place: (level, stream),
        segment,
        moved,
        evidence,
        incident,
    } = told;
    let kind = model.streams.kind(stream);
    let has_reference = segment.is_none() && model.has_reference(level);
    let level = model.levels.get(level);
    let (name, after) = level.map_or(("", 0), |l| (l.name.as_str(), l.after_steps));
    let bucket_end = end.saturating_sub(after);
    let id = model.spec.profile.id();
    let (reference, than) = match has_reference {
        true => (id.to_owned(), "the reference"),
        false => (format!("{id}@first_labels"), "its own first labels"),
    };
    let within = (name.trim_start_matches("bank_"), than);
    let sentence = sentence(model, kind, (&moved, &transition), within);
    let budget = model.budget.as_ref();
    let alert = LabelAlert {
        model,
        segment,
        feature: kind.name(),
        kind: kind.alert_kind(),
        rule: BANK,
        severity: model.labels.severity,
        statistic: Evidence {
            name: Statistic::Bank,
            value: evidence,
            threshold: budget.map_or(f64::MAX, |b| b.threshold.ln()),
            p_value: None,
            n: moved.trials as u64,
        },
        metric: None,
        window: WindowSpan {
            name: name.to_owned(),
            start: Timestamp::from_micros(moved.onset),
            end: Timestamp::from_micros(bucket_end),
            events: moved.labels,
        },
        reference,
        at: end,
        sentence,
    };
    let of_bank = OfBank {
        onset: moved.onset,
        effect: moved.effect,
        incident,
    };
    Output::Alert(alert.event(transition, Some(of_bank)))
}

/// What moved, from what to what, among the labels that came `within` some time, and what it is compared with.
fn sentence(
    model: &LabelModel,
    kind: StreamKind,
    (moved, transition): (&Moved, &Transition),
    (within, than): (&str, &str),
) -> String {
    let judgement = match transition {
        Transition::Fired { .. } => "has drifted:",
        Transition::Resolved { .. } => "is back within tolerance after",
    };
    let effect = &moved.effect;
    let labels = format!("{} labels that came within {within}", moved.trials as u64);
    let (what, usual, unit) = match model.streams.loss() {
        Some(loss) if kind == StreamKind::Loss => {
            let size = |share: f64| shown(share * loss.cap());
            let (cap, mean) = (shown(loss.cap()), size(effect.current));
            let what = format!("mean |error|, counted up to {cap}, of {mean} in {labels}");
            (what, size(effect.reference), "d")
        }
        _ => {
            let share = |share: f64| format!("{:.2} %", 100.0 * share);
            let (indicator, current) = (&effect.indicator, share(effect.current));
            let what = format!("{indicator} in {current} of {labels}");
            (what, share(effect.reference), "h")
        }
    };
    format!(
        "{} of predictions since {} {judgement} {what}, {usual} in {than} at the same age ({unit} {:.3}, tolerated {:.3})",
        kind.name(),
        Timestamp::from_micros(moved.onset),
        effect.h,
        effect.tolerance,
    )
}

/// Steps the alert of late labels with a bucket whose labels should be there.
fn late(
    series: &mut OutcomeSeries,
    model: &LabelModel,
    (matured, end): (&Matured, i64),
    all_late: &mut bool,
    out: &mut Vec<Output>,
) {
    let Some(reading) = OutcomeSeries::lateness(model, matured) else {
        return;
    };
    if series.segment.is_none() {
        *all_late = reading == Reading::Holds;
    } else if *all_late && series.late.phase() != Phase::Firing {
        return;
    }
    let persistence = Persistence {
        for_closes: LATE_CLOSES,
        clear_closes: LATE_CLOSES,
        ..Persistence::default()
    };
    let at = Timestamp::from_micros(end);
    let Some(transition) = series.late.advance(&persistence, at, reading) else {
        return;
    };
    let least = model.levels.last().and_then(|l| l.coverage_min);
    let (least, coverage) = (least.unwrap_or(0.0), matured.coverage().unwrap_or(0.0));
    let window = bucket_span(model, matured);
    let word = match transition {
        Transition::Fired { .. } => "are late: only",
        Transition::Resolved { .. } => "come again:",
    };
    let sentence = format!(
        "labels {word} {:.2} % of {} predictions up to {} have one by now, {:.2} % should",
        100.0 * coverage,
        matured.predicted,
        window.end,
        100.0 * least,
    );
    let alert = LabelAlert {
        model,
        segment: series.segment.as_deref(),
        feature: "label",
        kind: AlertKind::LabelsLate,
        rule: LATE,
        severity: model.labels.severity,
        statistic: Evidence {
            name: Statistic::LabelCoverage,
            value: coverage,
            threshold: least,
            p_value: None,
            n: matured.predicted,
        },
        metric: None,
        window,
        reference: model.spec.profile.id().to_owned(),
        at: end,
        sentence,
    };
    out.push(Output::Alert(alert.event(transition, None)));
}
