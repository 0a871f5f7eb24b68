//! What a model does, and which classes it has, from its reference's labels.

use std::collections::BTreeMap;

use driftline_event::Task;
use driftline_wire::LabelValue;

use super::join::Joined;
use crate::cli::LabelOptions;
use crate::exit::Failure;

/// Whole numbers with more values than this are taken for numbers, not for classes.
const NUMBERED_CLASSES_MAX: usize = 20;
/// Classes that are told apart; rarer ones count as others.
const CLASSES_MAX: usize = 256;
/// What the positive class is called if nobody says.
const POSITIVE: [&str; 5] = ["1", "true", "True", "yes", "positive"];

/// The class that a label names: `1`, `1.0` and the number 1 are one.
fn class(label: &LabelValue) -> String {
    match label {
        LabelValue::Number(number) => number.to_string(),
        LabelValue::Text(text) => class_name(text),
    }
}

fn class_name(text: &str) -> String {
    let number: Option<f64> = text
        .contains('.')
        .then(|| text.trim().parse().ok())
        .flatten();
    match number {
        Some(number) if number.trunc() == number && number.abs() < 1e15 => number.to_string(),
        _ => text.to_owned(),
    }
}

/// How often each class occurs among the labels.
fn counted(joined: &Joined) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for label in joined.labels.iter().flatten() {
        *counts.entry(class(&label.value)).or_default() += 1;
    }
    counts
}

/// What the model does, where nobody says: from the columns that it has and from the labels.
pub(super) fn task(
    joined: &Joined,
    decided: &[String],
    scored: &[String],
    has_value: bool,
) -> Task {
    if scored.len() >= 2 {
        return Task::Multiclass;
    }
    let classes = counted(joined);
    let is_number = |name: &String| name.parse::<f64>().is_ok();
    let is_whole = |name: &String| name.parse::<i64>().is_ok();
    let are_numbers = classes.keys().all(is_number);
    let are_many = classes.len() > NUMBERED_CLASSES_MAX || !classes.keys().all(is_whole);
    if has_value && are_numbers && are_many && decided.is_empty() {
        Task::Regression
    } else if classes.len() > 2 {
        Task::Multiclass
    } else {
        Task::Binary
    }
}

/// The negative and the positive class.
pub(super) fn of_two(
    joined: &Joined,
    decided: &[String],
    asked: &LabelOptions,
) -> Result<Vec<String>, Failure> {
    let mut classes: Vec<String> = counted(joined).into_keys().collect();
    for name in decided.iter().map(|name| class_name(name)) {
        if !classes.contains(&name) {
            classes.push(name);
        }
    }
    let listed = classes.join("`, `");
    let failure = |what: String| Failure::bad_data(format!("{}: {what}", joined.file));
    let positive = match &asked.positive {
        Some(positive) => Some(class_name(positive)),
        None => POSITIVE
            .iter()
            .find(|name| classes.iter().any(|class| class == *name))
            .map(|name| (*name).to_owned()),
    };
    let Some(positive) = positive.or_else(|| counterpart(&classes)) else {
        let failure = failure(format!("which class is positive? There are `{listed}`"));
        return Err(failure.hint("name it with --positive"));
    };
    let mut others: Vec<String> = classes.into_iter().filter(|c| *c != positive).collect();
    let negative = match others.len() {
        0 => counterpart(std::slice::from_ref(&positive)).unwrap_or_else(|| "other".to_owned()),
        1 => others.swap_remove(0),
        _ => {
            let failure = failure(format!(
                "labels and predictions have more than two classes: `{listed}`"
            ));
            return Err(failure.hint("use --task multiclass, or --task regression for numbers"));
        }
    };
    Ok(vec![negative, positive])
}

/// The other of two classes of which only one occurs.
fn counterpart(classes: &[String]) -> Option<String> {
    const PAIRS: [(&str, &str); 4] = [
        ("0", "1"),
        ("false", "true"),
        ("False", "True"),
        ("no", "yes"),
    ];
    let [only] = classes else {
        return None;
    };
    PAIRS.iter().find_map(|(negative, positive)| {
        if only == negative {
            Some((*positive).to_owned())
        } else if only == positive {
            Some((*negative).to_owned())
        } else {
            None
        }
    })
}

/// The classes that have scores, in their order; else the most frequent that labels or predictions name.
pub(super) fn of_several(joined: &Joined, decided: &[String], scored: Vec<String>) -> Vec<String> {
    if !scored.is_empty() {
        return scored;
    }
    let mut counts = counted(joined);
    for name in decided {
        counts.entry(class_name(name)).or_default();
    }
    let mut names: Vec<(String, u64)> = counts.into_iter().collect();
    names.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    names.truncate(CLASSES_MAX);
    let mut names: Vec<String> = names.into_iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    names
}
