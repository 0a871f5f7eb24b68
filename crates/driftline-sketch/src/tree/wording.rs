//! What a leaf means, in words.

use super::{LeafCondition, LeafValues};
use crate::{CategoricalProfile, ColumnProfile, ReferenceProfile};

/// Categories that are named in a description.
const NAMED: usize = 4;

impl ReferenceProfile {
    /// What the rows of a leaf of the joint tree have in common, in words, such as
    /// `temp ≤ 41 and carrier in UA, AA and 3 more`. Empty if there is no such leaf.
    ///
    /// Numbers are written with at most six significant digits.
    pub fn leaf_description(&self, leaf: usize) -> String {
        let conditions = self.joint_tree().map(|tree| tree.conditions(leaf));
        let word = |condition: &LeafCondition| {
            let column = self.columns.get(condition.column)?;
            Some(condition.values.of(&column.column.name, &column.profile))
        };
        let words: Vec<String> = conditions.iter().flatten().filter_map(word).collect();
        words.join(" and ")
    }
}

impl LeafValues {
    fn of(&self, name: &str, profile: &ColumnProfile) -> String {
        match (self, profile) {
            (Self::Interval { above, at_most }, _) => match (above, at_most) {
                (None, Some(to)) if *to == f64::MAX => format!("{name} is a number"),
                (Some(from), Some(to)) if *to == f64::MAX => format!("{name} > {}", short(*from)),
                (Some(from), Some(to)) => format!("{} < {name} ≤ {}", short(*from), short(*to)),
                (None, Some(to)) => format!("{name} ≤ {}", short(*to)),
                (Some(from), None) if *from == f64::MAX => format!("{name} is missing"),
                (Some(from), None) => format!("{name} > {} or missing", short(*from)),
                (None, None) => String::new(),
            },
            (Self::Categories { cells, others }, ColumnProfile::Categorical(names)) => {
                categories(name, cells, *others, names)
            }
            _ => String::new(),
        }
    }
}

fn categories(name: &str, cells: &[usize], others: bool, names: &CategoricalProfile) -> String {
    let mut listed: Vec<&str> = cells.iter().take(NAMED).map(|c| names.name(*c)).collect();
    let more = cells.len().saturating_sub(NAMED);
    let more = (more > 0).then(|| format!("{more} more"));
    listed.extend(more.as_deref());
    listed.extend(others.then_some("none of the known"));
    match listed.split_last() {
        None => format!("{name} in nothing"),
        Some((last, [])) => format!("{name} = {last}"),
        Some((last, first)) => format!("{name} in {} or {last}", first.join(", ")),
    }
}

/// At most six significant digits.
fn short(x: f64) -> String {
    let rounded: f64 = format!("{x:.5e}").parse().unwrap_or(x);
    if rounded != 0.0 && !(1e-4..1e9).contains(&rounded.abs()) {
        return format!("{rounded:e}");
    }
    format!("{rounded}")
}
