//! From a decoded row to what is kept of it.

use driftline_event::{ColumnRole, Layout, Row, Task, Value, decimal};

use super::profile::DecisionSource;
use super::scored::{ClassScore, Scored, ranking_item};
use super::{OutcomeProfile, RANKS, TOP_CLASSES};

/// The layout has no output column that an [`OutcomeProfile`] needs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the model has no output column `{column}`, which its labels are compared by")]
pub struct MissingOutput {
    /// The column's name.
    pub column: String,
}

/// Where in a row the scores and the decision stand. Resolve once for each layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeColumns {
    scores: Vec<usize>,
    decision: Option<usize>,
}

impl OutcomeColumns {
    /// Finds the output columns of `profile` in `layout`.
    ///
    /// # Errors
    /// When one is not there.
    pub fn resolve(profile: &OutcomeProfile, layout: &Layout) -> Result<Self, MissingOutput> {
        let find = |name: &String| {
            let found = layout.column_index(ColumnRole::Output, name);
            found.ok_or_else(|| MissingOutput {
                column: name.clone(),
            })
        };
        let decision = match &profile.decision {
            DecisionSource::Score => None,
            DecisionSource::Column(name) => Some(find(name)?),
        };
        let scores: Result<Vec<usize>, _> = profile.score_columns.iter().map(find).collect();
        Ok(Self {
            scores: scores?,
            decision,
        })
    }
}

/// The digits of a whole number; 2^63 is the first float above every i64.
pub(super) fn whole(number: f64, digits: &mut [u8; 20]) -> Option<&str> {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    let fits = number.trunc() == number && (-TWO_TO_63..TWO_TO_63).contains(&number);
    fits.then(|| decimal(number as i64, digits))
}

/// A finite number in the row.
#[inline]
fn number(row: &Row, column: Option<&usize>) -> Option<f64> {
    let number = match row.values().get(*column?)? {
        Value::Double(number) => *number,
        Value::Long(number) => *number as f64,
        Value::Bool(yes) => f64::from(u8::from(*yes)),
        Value::Missing | Value::Text(_) | Value::Unsupported => return None,
    };
    number.is_finite().then_some(number)
}

impl OutcomeProfile {
    /// What is kept of a prediction; none if it has neither the scores nor a decision.
    ///
    /// Where no column says what was decided, or it is empty, the score decides.
    #[inline]
    pub fn scored(&self, columns: &OutcomeColumns, row: &Row) -> Option<Scored> {
        match self.task {
            Task::Binary => self.scored_binary(columns, row),
            Task::Multiclass => self.scored_multiclass(columns, row),
            Task::Regression => {
                let value = number(row, columns.scores.first())?;
                Some(Scored::Regression { value })
            }
            Task::Ranking => self.scored_ranking(columns, row),
        }
    }

    fn scored_binary(&self, columns: &OutcomeColumns, row: &Row) -> Option<Scored> {
        let decided = self.decided(columns, row).map(|class| class == 1);
        if columns.scores.is_empty() {
            let positive = decided?;
            let score = f64::from(u8::from(positive));
            return Some(Scored::Binary { score, positive });
        }
        let score = number(row, columns.scores.first())?;
        let positive = decided.unwrap_or(score >= self.threshold);
        Some(Scored::Binary { score, positive })
    }

    fn scored_multiclass(&self, columns: &OutcomeColumns, row: &Row) -> Option<Scored> {
        let mut top = [ClassScore::NONE; TOP_CLASSES];
        let mut filled = 0;
        for (class, column) in columns.scores.iter().enumerate() {
            let Some(score) = number(row, Some(column)) else {
                continue;
            };
            let probability = score.clamp(0.0, 1.0) as f32;
            let best = ClassScore {
                class: class as u16,
                probability,
            };
            filled = insert(&mut top, filled, best, |held| {
                held.probability < probability
            });
        }
        let decided = match self.decided(columns, row) {
            Some(class) => class,
            None if filled > 0 => top[0].class,
            None => return None,
        };
        Some(Scored::Multiclass { decided, top })
    }

    fn scored_ranking(&self, columns: &OutcomeColumns, row: &Row) -> Option<Scored> {
        let mut items = [0; RANKS];
        if let Some(column) = columns.decision {
            let Value::Text(range) = row.values().get(column)? else {
                return None;
            };
            let separates = |c: char| c.is_whitespace() || ",;|[]\"'".contains(c);
            let names = row.text(*range).split(separates);
            let names = names.filter(|name| !name.is_empty());
            for (item, name) in items.iter_mut().zip(names) {
                *item = ranking_item(name);
            }
        } else {
            let mut best = [(f64::NEG_INFINITY, 0); RANKS];
            let mut filled = 0;
            for (column, item) in columns.scores.iter().zip(&self.items) {
                if let Some(score) = number(row, Some(column)) {
                    filled = insert(&mut best, filled, (score, *item), |held| held.0 < score);
                }
            }
            items = best.map(|(_, item)| item);
        }
        (items[0] != 0).then_some(Scored::Ranking { items })
    }

    /// The class in the column that says what was decided; none if it is empty or there is none.
    fn decided(&self, columns: &OutcomeColumns, row: &Row) -> Option<u16> {
        let mut digits = [0; 20];
        let text = match row.values().get(columns.decision?)? {
            Value::Text(range) => row.text(*range),
            Value::Long(number) => decimal(*number, &mut digits),
            Value::Bool(true) => "true",
            Value::Bool(false) => "false",
            Value::Double(number) => whole(*number, &mut digits)?,
            Value::Missing | Value::Unsupported => return None,
        };
        Some(self.classes.position(text))
    }
}

/// Puts `new` after the `filled` first that are not worse, and says how many are filled now.
#[inline]
fn insert<T: Copy, const N: usize>(
    best: &mut [T; N],
    filled: usize,
    new: T,
    is_worse: impl Fn(&T) -> bool,
) -> usize {
    let place = best[..filled].iter().position(is_worse).unwrap_or(filled);
    if place >= N {
        return filled;
    }
    let end = (filled + 1).min(N);
    best.copy_within(place..end - 1, place + 1);
    best[place] = new;
    end
}
