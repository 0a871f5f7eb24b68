//! From the value in an event to the value in a column.
//!
//! | In the event | Numeric column | Categorical column |
//! | --- | --- | --- |
//! | null or absent | missing | missing |
//! | truth value | 0 or 1 | `false` or `true` |
//! | integer | the number | its decimal digits |
//! | floating point | the number; NaN and ±∞ are counted apart | its decimal digits if integral, else wrong type |
//! | text | wrong type | the text |
//! | anything else | wrong type | wrong type |

use driftline_event::{Row, Value, decimal};
use driftline_sketch::{
    CategoricalProfile, CategoryCode, ColumnProfile, MISSING, MISSING_CODE, ReferenceProfile,
    UNSEEN_CODE, WRONG_TYPE, WRONG_TYPE_CODE, number,
};

/// A text that the reference has never seen, in [`Cells::text`].
#[derive(Clone, Copy, Debug)]
struct Unseen {
    column: usize,
    start: usize,
    end: usize,
}

/// One row as its columns take it. Reused row by row, so nothing is allocated per event.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cells {
    /// The numeric columns of the events in order, then the further coordinates of embeddings.
    pub(crate) numbers: Vec<f64>,
    /// The categorical columns of the events in order.
    pub(crate) codes: Vec<CategoryCode>,
    unseen: Vec<Unseen>,
    text: String,
}

impl Cells {
    /// Reads `row`. A value that the row does not have is missing.
    pub(crate) fn read(&mut self, row: &Row, profile: &ReferenceProfile) {
        self.numbers.clear();
        self.codes.clear();
        self.unseen.clear();
        self.text.clear();
        let values = row.values();
        let events = profile.event_columns();
        for (i, column) in profile.columns[..events].iter().enumerate() {
            let value = values.get(i).copied().unwrap_or_default();
            match &column.profile {
                ColumnProfile::Numeric(_) => self.numbers.push(to_number(value)),
                ColumnProfile::Categorical(names) => {
                    let code = self.code(i, value, row, names);
                    self.codes.push(code);
                }
                // Derived from the others when they are counted.
                ColumnProfile::Embedding(_) => {}
            }
        }
        for i in 0..profile.coordinates().len() {
            let value = values.get(events + i).copied().unwrap_or_default();
            self.numbers.push(to_number(value));
        }
    }

    /// The texts that the reference has never seen, with their columns.
    pub(crate) fn unseen(&self) -> impl Iterator<Item = (usize, &str)> {
        self.unseen
            .iter()
            .map(|u| (u.column, &self.text[u.start..u.end]))
    }

    fn code(
        &mut self,
        column: usize,
        value: Value,
        row: &Row,
        names: &CategoricalProfile,
    ) -> CategoryCode {
        let mut digits = [0_u8; 20];
        let text = match value {
            Value::Missing => return MISSING_CODE,
            Value::Unsupported => return WRONG_TYPE_CODE,
            Value::Bool(true) => "true",
            Value::Bool(false) => "false",
            Value::Text(range) => row.text(range),
            Value::Long(long) => decimal(long, &mut digits),
            // 2^63 is the first float above every i64; −2^63 is one.
            Value::Double(d) if d.trunc() == d && (-TWO_TO_63..TWO_TO_63).contains(&d) => {
                decimal(d as i64, &mut digits)
            }
            Value::Double(_) => return WRONG_TYPE_CODE,
        };
        let code = names.code(text);
        if code == UNSEEN_CODE {
            let start = self.text.len();
            self.text.push_str(text);
            self.unseen.push(Unseen {
                column,
                start,
                end: self.text.len(),
            });
        }
        code
    }
}

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

fn to_number(value: Value) -> f64 {
    match value {
        Value::Double(d) => number(d),
        Value::Long(long) => long as f64,
        Value::Missing => MISSING,
        Value::Bool(b) => f64::from(u8::from(b)),
        Value::Text(_) | Value::Unsupported => WRONG_TYPE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_what_is_a_number() {
        assert_eq!(to_number(Value::Bool(true)), 1.0);
        assert_eq!(to_number(Value::Long(-3)), -3.0);
        assert!(driftline_sketch::is_missing(to_number(Value::Missing)));
        assert!(driftline_sketch::is_wrong_type(to_number(
            Value::Unsupported
        )));
        let forged = to_number(Value::Double(MISSING));
        assert!(forged.is_nan() && !driftline_sketch::is_missing(forged));
    }
}
