//! What a monitor has learnt from the reference part of a stream, and how it sees the panes after it.

use std::ops::Range;

use anyhow::{Context, Result};
use driftline_event::ColumnRole;
use driftline_sketch::{
    CategoryCode, ColumnProfile, ColumnSummary, JOINT_COLUMN, JointOptions, JointTree,
    MISSING_CODE, ProfileOptions, ReferenceBuilder,
};
use driftline_stat::binned;

use crate::model::NaiveBayes;
use crate::stream::{Column, NO_CATEGORY, Role, Table, Values};

/// What of a stream is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Features, and outputs of a model that comes with the data, each by itself.
    Inputs,
    /// Besides, the features' joint distribution, the labels, and the errors of a model fitted on the first half of
    /// the reference.
    All,
}

/// Cells of the distances that grow with the number of cells.
const COARSE_CELLS: usize = 10;
const TEXTS: [&str; 2] = ["right", "wrong"];

/// A watched column and its reference.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) name: String,
    pub(crate) profile: ColumnProfile,
    /// Codes by place in the dictionary; for categories.
    codes: Vec<CategoryCode>,
    source: Source,
    coarse: Vec<usize>,
    reference: Vec<u64>,
    reference_coarse: Vec<u64>,
}

#[derive(Debug)]
enum Source {
    Column(usize),
    /// The leaves of this tree, over these columns.
    Joint(JointTree, Vec<usize>),
    Errors,
}

/// How far a window is from the reference, column by column.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Distances {
    /// Of Kolmogorov–Smirnov for numbers and chi-square for categories.
    pub(crate) p_value: f64,
    pub(crate) psi: f64,
    /// Wasserstein in standard deviations for numbers, Jensen–Shannon for categories.
    pub(crate) distance: f64,
}

/// The reference of all watched columns.
#[derive(Debug)]
pub(crate) struct Reference {
    pub(crate) columns: Vec<Watched>,
    model: Option<NaiveBayes>,
    /// The rows that it was learnt from, but for the errors only their second half.
    pub(crate) rows: Range<usize>,
}

impl Reference {
    /// Learns what these rows look like.
    pub(crate) fn learn(table: &Table, rows: Range<usize>, scope: Scope) -> Result<Self> {
        let mut columns = Vec::new();
        for (place, column) in table.columns.iter().enumerate() {
            columns.push(Watched::of_column(place, column, rows.clone())?);
        }
        let mut model = None;
        if scope == Scope::All {
            let half = half(&rows);
            let profiles: Vec<ColumnProfile> = columns.iter().map(|c| c.profile.clone()).collect();
            model = NaiveBayes::fit(table, &profiles, rows.start..half);
            if let Some(model) = &model {
                columns.push(Watched::of_errors(model, table, half..rows.end)?);
            }
            columns.extend(Watched::of_joint(table, rows.clone())?);
        } else {
            columns.retain(|watched| match watched.source {
                Source::Column(place) => table.columns[place].role != Role::Label,
                Source::Joint(..) | Source::Errors => false,
            });
        }
        Ok(Self {
            columns,
            model,
            rows,
        })
    }

    /// The columns that the classical rules see: not the joint tree, which comes last.
    pub(crate) fn classical(&self) -> &[Watched] {
        let joint = |column: &Watched| matches!(column.source, Source::Joint(..));
        let count = self
            .columns
            .iter()
            .take_while(|column| !joint(column))
            .count();
        &self.columns[..count]
    }

    /// The reference's own rows that a column was not fitted to in a way that flatters it.
    pub(crate) fn history(&self, column: &Watched) -> Range<usize> {
        match column.source {
            Source::Errors => half(&self.rows)..self.rows.end,
            _ => self.rows.clone(),
        }
    }

    /// What these rows look like.
    pub(crate) fn pane(&self, table: &Table, rows: Range<usize>) -> Vec<ColumnSummary> {
        let see = |watched: &Watched| {
            let mut summary = watched.profile.empty_summary();
            match (&watched.source, &self.model) {
                (Source::Column(place), _) => {
                    watched.count(&table.columns[*place], rows.clone(), &mut summary);
                }
                (Source::Joint(tree, places), _) => {
                    let codes = watched.leaves(self, tree, places, table, rows.clone());
                    watched.add_codes(&codes, &mut summary);
                }
                (Source::Errors, Some(model)) => {
                    let codes: Vec<CategoryCode> = rows
                        .clone()
                        .map(|row| match model.errs(table, row) {
                            Some(wrong) => watched.codes[usize::from(wrong)],
                            None => MISSING_CODE,
                        })
                        .collect();
                    watched.add_codes(&codes, &mut summary);
                }
                (Source::Errors, None) => {}
            }
            summary
        };
        self.columns.iter().map(see).collect()
    }
}

impl Watched {
    fn of_column(place: usize, column: &Column, rows: Range<usize>) -> Result<Self> {
        let mut builder = builder();
        add(&mut builder, column, rows)?;
        let texts = column.dictionary.iter().map(String::as_str);
        Self::finish(builder, texts, Source::Column(place))
    }

    /// The joint column, if there are two features.
    fn of_joint(table: &Table, rows: Range<usize>) -> Result<Option<Self>> {
        let features = table.columns.iter().enumerate();
        let features = features.filter(|(_, column)| column.role == Role::Feature);
        let places: Vec<usize> = features.map(|(place, _)| place).collect();
        if places.len() < 2 {
            return Ok(None);
        }
        let mut builder = ReferenceBuilder::new(
            "streams",
            "1",
            ProfileOptions {
                joint: Some(JointOptions::default()),
                ..ProfileOptions::default()
            },
        );
        for place in &places {
            add(&mut builder, &table.columns[*place], rows.clone())?;
        }
        let mut built = builder.build()?;
        let tree = built
            .joint_tree()
            .context("a tree over two features")?
            .clone();
        let joint = built.columns.pop().context("the joint column")?;
        let categories = match &joint.profile {
            ColumnProfile::Categorical(categories) => categories.cells(),
            _ => 0,
        };
        let coarse = (0..=categories).collect();
        let source = Source::Joint(tree, places);
        Ok(Some(Self::assemble(
            joint.profile,
            Vec::new(),
            coarse,
            source,
            JOINT_COLUMN,
        )))
    }

    fn of_errors(model: &NaiveBayes, table: &Table, rows: Range<usize>) -> Result<Self> {
        let mut builder = builder();
        let texts = rows.map(|row| {
            model
                .errs(table, row)
                .map(|wrong| TEXTS[usize::from(wrong)])
        });
        builder.categorical("error", ColumnRole::Output, texts)?;
        Self::finish(builder, TEXTS.into_iter(), Source::Errors)
    }

    fn finish<'a>(
        builder: ReferenceBuilder,
        texts: impl Iterator<Item = &'a str>,
        source: Source,
    ) -> Result<Self> {
        let built = builder.build()?.columns.pop();
        let built = built.context("a profile of one column")?;
        let profile = built.profile;
        let (codes, coarse) = match &profile {
            ColumnProfile::Numeric(numeric) => {
                let counts = &numeric.reference().counts;
                (Vec::new(), binned::merge_to_cells(counts, COARSE_CELLS))
            }
            ColumnProfile::Categorical(categories) => {
                // One more for the unseen.
                let cells = (0..=categories.cells()).collect();
                (texts.map(|text| categories.code(text)).collect(), cells)
            }
            _ => (Vec::new(), Vec::new()),
        };
        Ok(Self::assemble(
            profile,
            codes,
            coarse,
            source,
            &built.column.name,
        ))
    }

    fn assemble(
        profile: ColumnProfile,
        codes: Vec<CategoryCode>,
        coarse: Vec<usize>,
        source: Source,
        name: &str,
    ) -> Self {
        let reference = cells(&profile.reference());
        Self {
            name: name.to_owned(),
            reference_coarse: binned::merge_counts(&reference, &coarse),
            reference,
            profile,
            codes,
            source,
            coarse,
        }
    }

    /// The leaf of each row.
    fn leaves(
        &self,
        reference: &Reference,
        tree: &JointTree,
        places: &[usize],
        table: &Table,
        rows: Range<usize>,
    ) -> Vec<CategoryCode> {
        let (mut numbers, mut codes) = (Vec::new(), Vec::new());
        let leaf = |row: usize| {
            numbers.clear();
            codes.clear();
            for place in places {
                match &table.columns[*place].values {
                    Values::Numeric(values) => numbers.push(values[row]),
                    Values::Category(values) => {
                        codes.push(reference.columns[*place].code(values[row]));
                    }
                }
            }
            tree.leaf(&numbers, &codes)
        };
        rows.map(leaf).collect()
    }

    /// The code of a place in the dictionary.
    fn code(&self, place: u32) -> CategoryCode {
        match place {
            NO_CATEGORY => MISSING_CODE,
            place => self.codes[place as usize],
        }
    }

    fn count(&self, column: &Column, rows: Range<usize>, into: &mut ColumnSummary) {
        match (&self.profile, &column.values, into) {
            (ColumnProfile::Numeric(p), Values::Numeric(values), ColumnSummary::Numeric(into)) => {
                p.add_column(&values[rows], into);
            }
            (_, Values::Category(values), into) => {
                let codes: Vec<CategoryCode> =
                    values[rows].iter().map(|place| self.code(*place)).collect();
                self.add_codes(&codes, into);
            }
            _ => {}
        }
    }

    fn add_codes(&self, codes: &[CategoryCode], into: &mut ColumnSummary) {
        if let (ColumnProfile::Categorical(profile), ColumnSummary::Categorical(into)) =
            (&self.profile, into)
        {
            profile.add_codes(codes, into);
        }
    }

    /// How far a window is from the reference; no distance at all while it is empty.
    pub(crate) fn distances(&self, window: &ColumnSummary) -> Distances {
        let current = cells(window);
        let coarse = binned::merge_counts(&current, &self.coarse);
        let psi = binned::psi(&self.reference_coarse, &coarse).unwrap_or(0.0);
        let (p_value, distance) = match (&self.profile, window) {
            (ColumnProfile::Numeric(profile), ColumnSummary::Numeric(window)) => {
                let p_value = binned::kolmogorov_smirnov(&self.reference, &current).and_then(|d| {
                    let (n_ref, n_cur) = (profile.reference().valid(), window.valid());
                    binned::kolmogorov_smirnov_p_value(d, current.len(), n_ref, n_cur)
                });
                let outside = binned::Outside {
                    below: window.below_min,
                    above: window.above_max,
                    distance: profile.distance_outside(window),
                };
                let (minimum, maximum) = (profile.minimum(), profile.maximum());
                let bounds = profile.upper_bounds();
                let reference = &self.reference;
                let distance =
                    binned::wasserstein(bounds, minimum, maximum, reference, &current, outside);
                let scale = profile.standard_deviation();
                (
                    p_value,
                    distance.map(|d| d / scale).filter(|d| d.is_finite()),
                )
            }
            _ => {
                let test = binned::chi_square(&self.reference, &current);
                let distance = binned::jensen_shannon(&self.reference, &current);
                (test.map(|test| test.p_value), distance)
            }
        };
        Distances {
            p_value: p_value.unwrap_or(1.0),
            psi,
            distance: distance.unwrap_or(0.0),
        }
    }
}

/// A builder of one column.
fn builder() -> ReferenceBuilder {
    ReferenceBuilder::new("streams", "1", ProfileOptions::default())
}

fn add(builder: &mut ReferenceBuilder, column: &Column, rows: Range<usize>) -> Result<()> {
    match &column.values {
        Values::Numeric(values) => {
            builder.numeric(&column.name, ColumnRole::Feature, values[rows].to_vec())?;
        }
        Values::Category(values) => {
            let text = |place: &u32| column.dictionary.get(*place as usize).map(String::as_str);
            let texts = values[rows].iter().map(text);
            builder.categorical(&column.name, ColumnRole::Feature, texts)?;
        }
    }
    Ok(())
}

/// Where the second half begins.
fn half(rows: &Range<usize>) -> usize {
    rows.start + rows.len() / 2
}

/// Counts by cell, with one for the unseen categories at the end.
fn cells(summary: &ColumnSummary) -> Vec<u64> {
    match summary {
        ColumnSummary::Numeric(summary) => summary.counts.clone(),
        ColumnSummary::Categorical(summary) => {
            let mut counts = summary.counts.clone();
            counts.push(summary.unseen);
            counts
        }
        _ => Vec::new(),
    }
}
