//! Seeded prediction events of 20 numbers and 5 texts, and the references that they are compared with.

use std::sync::Arc;

use driftline_event::{ColumnRole, Timestamp};
use driftline_sketch::{ProfileOptions, ReferenceBuilder, ReferenceProfile};

/// Numeric features of an event.
pub const NUMBERS: usize = 20;
/// Categorical features of an event.
pub const TEXTS: usize = 5;
/// What is counted of an event: the features and the score.
pub const VALUES: usize = NUMBERS + TEXTS + 1;
/// The version of every model.
pub const VERSION: &str = "1";

/// Rows that a reference is built from.
const REFERENCE_ROWS: usize = 4_000;
/// Categories of a text feature; the lower ones are the more frequent.
const CATEGORIES: usize = 30;
/// The first event's time: 2025-01-01.
const FIRST_MICROS: i64 = 1_735_689_600_000_000;
/// An event may be so much older than one before it.
const JITTER_MICROS: f64 = 1e6;

/// One prediction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    /// Unique in its traffic.
    pub id: String,
    /// The number of its model.
    pub model: usize,
    /// Event time.
    pub at: Timestamp,
    /// The numeric features: normal and exponential by turns, to four decimals.
    pub numbers: [f64; NUMBERS],
    /// The categorical features, as numbers of categories.
    pub texts: [usize; TEXTS],
    /// The model's output.
    pub score: f64,
}

/// Names that events and references share.
#[derive(Debug)]
pub struct Names {
    /// Of the models.
    pub models: Vec<String>,
    /// Of the numeric features.
    pub numbers: Vec<String>,
    /// Of the categorical features.
    pub texts: Vec<String>,
    /// Of the categories.
    pub categories: Vec<String>,
}

impl Names {
    /// Names for so many models.
    #[must_use]
    pub fn new(models: usize) -> Self {
        Self {
            models: (0..models).map(|i| format!("model-{i:02}")).collect(),
            numbers: (0..NUMBERS).map(|i| format!("number_{i:02}")).collect(),
            texts: (0..TEXTS).map(|i| format!("text_{i}")).collect(),
            categories: (0..CATEGORIES).map(|i| format!("category-{i}")).collect(),
        }
    }
}

/// An endless stream of events; the same seed gives the same ones.
#[derive(Debug)]
pub struct Traffic {
    random: Random,
    models: usize,
    micros_apart: f64,
    made: u64,
}

impl Traffic {
    /// Events of `models` models in random order, so many in a second of event time.
    #[must_use]
    pub fn new(seed: u64, models: usize, events_per_second: f64) -> Self {
        Self {
            random: Random(seed),
            models,
            micros_apart: 1e6 / events_per_second,
            made: 0,
        }
    }

    /// Makes the next event in the place of an earlier one.
    pub fn next_into(&mut self, event: &mut Event) {
        use std::fmt::Write as _;
        let random = &mut self.random;
        event.id.clear();
        // A String takes everything.
        let _ = write!(event.id, "{:024x}-{:07}", random.bits(), self.made);
        event.model = random.below(self.models);
        let micros = self.made as f64 * self.micros_apart - JITTER_MICROS * random.unit();
        event.at = Timestamp::from_micros(FIRST_MICROS + micros as i64);
        random.features(&mut event.numbers, &mut event.texts);
        event.score = random.unit();
        self.made += 1;
    }
}

/// The reference of a model: what its events look like.
///
/// # Panics
/// Never: the columns are the same every time.
#[must_use]
pub fn reference(names: &Names, model: usize, seed: u64) -> Arc<ReferenceProfile> {
    let mut random = Random(seed ^ (model as u64 + 1).wrapping_mul(0x9e37_79b9));
    let mut numbers = vec![Vec::new(); NUMBERS];
    let mut texts = vec![Vec::new(); TEXTS];
    let (mut row_numbers, mut row_texts) = ([0.0; NUMBERS], [0; TEXTS]);
    for _ in 0..REFERENCE_ROWS {
        random.features(&mut row_numbers, &mut row_texts);
        for (column, x) in numbers.iter_mut().zip(row_numbers) {
            column.push(x);
        }
        for (column, x) in texts.iter_mut().zip(row_texts) {
            column.push(names.categories[x].as_str());
        }
    }
    let fits = "20 numbers, 5 texts and a score are a reference";
    let model = &names.models[model];
    let mut builder = ReferenceBuilder::new(model, VERSION, ProfileOptions::default());
    for (name, column) in names.numbers.iter().zip(numbers) {
        builder
            .numeric(name, ColumnRole::Feature, column)
            .expect(fits);
    }
    for (name, column) in names.texts.iter().zip(texts) {
        let column = column.into_iter().map(Some);
        builder
            .categorical(name, ColumnRole::Feature, column)
            .expect(fits);
    }
    let scores = (0..REFERENCE_ROWS).map(|_| random.unit()).collect();
    builder
        .numeric("value", ColumnRole::Output, scores)
        .expect(fits);
    Arc::new(builder.build().expect(fits))
}

/// Steele, Lea and Flood's splitmix64.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }

    fn features(&mut self, numbers: &mut [f64; NUMBERS], texts: &mut [usize; TEXTS]) {
        for (i, x) in numbers.iter_mut().enumerate() {
            let drawn = if i % 2 == 0 {
                // Three uniforms are normal enough, and cheap.
                50.0 + 20.0 * (self.unit() + self.unit() + self.unit() - 1.5)
            } else {
                -10.0 * (1.0 - self.unit()).ln()
            };
            *x = (drawn * 1e4).round() / 1e4;
        }
        for x in texts {
            *x = (CATEGORIES as f64 * self.unit() * self.unit()) as usize;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_is_all_that_matters() {
        let first = |seed| {
            let mut event = Event::default();
            let mut traffic = Traffic::new(seed, 3, 1e3);
            (0..50).for_each(|_| traffic.next_into(&mut event));
            event
        };
        assert_eq!(first(7), first(7));
        assert_ne!(first(7), first(8));
    }
}
