//! The joint column of a reference, for people.

use driftline_sketch::{CategoricalSummary, JointTree, ProfiledColumn, ReferenceProfile};
use serde_json::json;

use super::percent;

/// Features that are named in a table.
const NAMED: usize = 5;

/// The tree whose leaves `column` counts, if it is that column.
pub(super) fn tree_of<'a>(
    profile: &'a ReferenceProfile,
    column: &ProfiledColumn,
) -> Option<&'a JointTree> {
    let own = profile.columns.get(profile.event_columns())?;
    profile.joint_tree().filter(|_| std::ptr::eq(own, column))
}

/// `64 leaves of 1.5 % to 1.7 %, cut by temp, dewp, humid, …`.
pub(super) fn overview(
    profile: &ReferenceProfile,
    tree: &JointTree,
    reference: &CategoricalSummary,
) -> String {
    let columns = tree.columns();
    let names = columns.iter().take(NAMED).map(|column| {
        let column = profile.columns.get(*column);
        column.map_or("", |c| c.column.name.as_str())
    });
    let names: Vec<&str> = names.collect();
    let more = if columns.len() > NAMED { ", …" } else { "" };
    let rows = reference.rows();
    let share = |count: Option<&u64>| percent(count.copied().unwrap_or(0), rows);
    let least = share(reference.counts.iter().min());
    let most = share(reference.counts.iter().max());
    let (leaves, names) = (tree.leaves(), names.join(", "));
    format!("{leaves} leaves of {least} to {most}, cut by {names}{more}")
}

/// Every leaf with its share and what its rows have in common.
pub(super) fn leaves(
    profile: &ReferenceProfile,
    reference: &CategoricalSummary,
) -> serde_json::Value {
    let rows = reference.rows().max(1) as f64;
    let leaves = reference.counts.iter().enumerate().map(|(leaf, count)| {
        json!({
            "leaf": leaf, "share": *count as f64 / rows,
            "rows_with": profile.leaf_description(leaf),
        })
    });
    json!({
        "n": reference.rows(), "missing": 0,
        "seed": profile.joint_tree().map(JointTree::seed),
        "leaves": leaves.collect::<Vec<_>>(),
    })
}
