//! Which series a row belongs to besides that of all events.

use std::collections::BTreeMap;

/// The value that stands for all values beyond the bound.
pub(crate) const OTHER: &str = "__other__";
/// A longer value is cut here, at a character boundary.
pub(crate) const VALUE_BYTES_MAX: usize = 128;

/// One segment field of one model: its values, each with the number of its series.
///
/// At most `segments_max` values are told apart between two flushes, first come, first served; the rows of
/// any further value go to [`OTHER`] and are counted. After a flush in which that happened all values are
/// forgotten, so that dead ones make room. Below the bound the result does not depend on the order of rows.
#[derive(Clone, Debug)]
pub(crate) struct SegmentField {
    name: String,
    values: BTreeMap<Box<str>, u32>,
    last: (String, u32),
    other: Option<u32>,
    /// Rows that went to [`OTHER`] since the last flush.
    pub(crate) overflowed: u64,
    clean: String,
}

/// Where the rows of a value go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Placed {
    /// To this series.
    Series(u32),
    /// To a new series with this label; say its number with [`SegmentField::place`].
    New(String),
}

impl SegmentField {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            values: BTreeMap::new(),
            last: (String::new(), u32::MAX),
            other: None,
            overflowed: 0,
            clean: String::new(),
        }
    }

    /// Finds the series of `value`; if it needs a new one, that will have the number `next`.
    pub(crate) fn place(&mut self, value: &str, next: u32, segments_max: usize) -> Placed {
        if self.last.1 != u32::MAX && self.last.0 == value {
            return Placed::Series(self.last.1);
        }
        let mut clean = std::mem::take(&mut self.clean);
        let value = if is_clean(value) {
            value
        } else {
            sanitise(value, &mut clean)
        };
        let placed = self.place_clean(value, next, segments_max);
        self.clean = clean;
        placed
    }

    fn place_clean(&mut self, value: &str, next: u32, segments_max: usize) -> Placed {
        if let Some(&series) = self.values.get(value) {
            self.last.0.clear();
            self.last.0.push_str(value);
            self.last.1 = series;
            return Placed::Series(series);
        }
        if self.values.len() < segments_max {
            self.values.insert(value.into(), next);
            return Placed::New(format!("{}={value}", self.name));
        }
        self.overflowed += 1;
        match self.other {
            Some(series) => Placed::Series(series),
            None => {
                self.other = Some(next);
                Placed::New(format!("{}={OTHER}", self.name))
            }
        }
    }

    /// Forgets all values.
    pub(crate) fn clear(&mut self) {
        self.values.clear();
        self.last.1 = u32::MAX;
        self.other = None;
    }
}

/// Short and free of control characters, as labels have to be.
fn is_clean(value: &str) -> bool {
    value.len() <= VALUE_BYTES_MAX && !value.bytes().any(|b| b < 0x20 || b == 0x7f)
}

fn sanitise<'a>(value: &str, into: &'a mut String) -> &'a str {
    into.clear();
    for c in value
        .chars()
        .map(|c| if c.is_ascii_control() { '_' } else { c })
    {
        if into.len() + c.len_utf8() > VALUE_BYTES_MAX {
            break;
        }
        into.push(c);
    }
    into
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_known_values_and_counts_what_does_not_fit() {
        let mut field = SegmentField::new("origin");
        assert_eq!(
            field.place("JFK", 1, 2),
            Placed::New("origin=JFK".to_owned())
        );
        assert_eq!(field.place("JFK", 2, 2), Placed::Series(1));
        assert_eq!(
            field.place("LGA", 2, 2),
            Placed::New("origin=LGA".to_owned())
        );
        assert_eq!(
            field.place("EWR", 3, 2),
            Placed::New("origin=__other__".to_owned())
        );
        assert_eq!(field.place("BOS", 4, 2), Placed::Series(3));
        assert_eq!(field.place("JFK", 4, 2), Placed::Series(1));
        assert_eq!(field.overflowed, 2);
        field.clear();
        assert_eq!(
            field.place("BOS", 1, 2),
            Placed::New("origin=BOS".to_owned())
        );
    }

    #[test]
    fn labels_are_short_and_printable() {
        let mut field = SegmentField::new("f");
        assert_eq!(field.place("a\nb", 1, 9), Placed::New("f=a_b".to_owned()));
        assert_eq!(field.place("a_b", 2, 9), Placed::Series(1));
        let long = "é".repeat(100);
        assert_eq!(
            field.place(&long, 2, 9),
            Placed::New(format!("f={}", "é".repeat(64)))
        );
        assert_eq!(field.place(&long, 3, 9), Placed::Series(2));
    }
}
