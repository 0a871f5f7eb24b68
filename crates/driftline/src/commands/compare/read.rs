//! Reading both files.

use driftline_event::ColumnKind;

use crate::cli::{ColumnOptions, CompareArgs, KindOptions};
use crate::config::suggest;
use crate::exit::Failure;
use crate::files::{Input, Role, Table, TableColumn, TableFilter};

/// Both files, and which columns only one of them has.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) reference: Table,
    pub(super) current: Table,
    pub(super) only_in_reference: Vec<String>,
    pub(super) only_in_current: Vec<String>,
}

impl Files {
    /// Reads both files so that a column has the same kind in both: numbers only where both have numbers.
    ///
    /// # Errors
    /// When a file is broken, or lacks a column that the command line names.
    pub(super) fn read(args: &CompareArgs) -> Result<Self, Failure> {
        let mut reference = read(&args.reference, &args.kinds, &args.ignore)?;
        let mut current = read(&args.current, &args.kinds, &args.ignore)?;
        for name in &args.columns {
            let has = |table: &&Table| table.column(name).is_some();
            if let Some(table) = [&reference, &current].into_iter().find(|t| !has(t)) {
                return Err(no_such_column(table, name));
            }
        }
        let empty = |table: &Table, name: &str| {
            let column = table.column(name);
            column.is_some_and(|c| c.values.missing() == table.rows)
        };
        let differ = |column: &&TableColumn| {
            let other = current.column(&column.name);
            other.is_some_and(|c| c.values.kind() != column.values.kind())
        };
        let names: Vec<String> = reference
            .columns
            .iter()
            .filter(differ)
            .map(|c| c.name.clone())
            .collect();
        if !names.is_empty() {
            let texts: Vec<&str> = names
                .iter()
                .map(String::as_str)
                // A column without values has no kind of its own.
                .filter(|name| !empty(&reference, name) && !empty(&current, name))
                .collect();
            if !texts.is_empty() {
                let texts = super::table::listed(&texts, 10);
                tracing::warn!("compared as categories, because one file has texts there: {texts}");
            }
            let mut kinds = args.kinds.clone();
            kinds.categorical.extend(names);
            reference = read(&args.reference, &kinds, &args.ignore)?;
            current = read(&args.current, &kinds, &args.ignore)?;
        }
        if args.columns.is_empty() {
            leave_out_keys(&mut reference);
            leave_out_keys(&mut current);
        }
        let only = |a: &Table, b: &Table| -> Vec<String> {
            let lacks =
                |c: &&TableColumn| b.column(&c.name).is_none() && !b.left_out.contains(&c.name);
            let columns = a.columns.iter().filter(lacks);
            columns.map(|c| c.name.clone()).collect()
        };
        Ok(Self {
            only_in_reference: only(&reference, &current),
            only_in_current: only(&current, &reference),
            reference,
            current,
        })
    }

    /// The columns that both files have and `named` holds, or all, in the order of the reference.
    pub(super) fn pairs(
        &self,
        named: &[String],
    ) -> impl Iterator<Item = (&TableColumn, &TableColumn)> {
        let wanted = |name: &String| named.is_empty() || named.contains(name);
        let columns = self.reference.columns.iter();
        columns
            .filter(move |c| wanted(&c.name))
            .filter_map(|c| Some((c, self.current.column(&c.name)?)))
    }

    pub(super) fn nothing_in_common(&self) -> Failure {
        let (a, b) = (&self.reference.file, &self.current.file);
        Failure::bad_data(format_args!("{a} and {b} have no column in common"))
            .hint("the first line of a CSV file names its columns")
    }
}

fn read(path: &std::path::Path, kinds: &KindOptions, ignore: &[String]) -> Result<Table, Failure> {
    let filter = TableFilter {
        columns: ColumnOptions {
            ignore: ignore.to_vec(),
            ..ColumnOptions::default()
        },
        kinds: kinds.clone(),
        all_columns: true,
        ..TableFilter::default()
    };
    Ok(Table::read(&Input::from(path), &filter)?)
}

fn no_such_column(table: &Table, name: &str) -> Failure {
    let known: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
    let file = &table.file;
    let message = format!("{file}: column `{name}`: there is no such column to compare");
    Failure::bad_data(message).hint(suggest::hint(name, &known))
}

/// Ids and times differ between any two files.
fn leave_out_keys(table: &mut Table) {
    let is_key = |column: &TableColumn| match column.role {
        Role::Id => true,
        Role::Time => column.values.kind() == ColumnKind::Categorical,
        _ => false,
    };
    let keys = table.columns.iter().filter(|c| is_key(c));
    table.left_out.extend(keys.map(|c| c.name.clone()));
    table.columns.retain(|c| !is_key(c));
}
