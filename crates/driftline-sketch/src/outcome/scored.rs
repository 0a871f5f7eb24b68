//! A prediction, reduced to what its label is compared with; and the label.

use driftline_event::Task;

use super::{RANKS, TOP_CLASSES};
use crate::distinct::hash;

/// A class and its probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassScore {
    /// The position among the classes; [`ClassScore::NONE`]'s if there is none.
    pub class: u16,
    /// 0 to 1.
    pub probability: f32,
}

impl ClassScore {
    /// Stands where there are fewer than five.
    pub const NONE: Self = Self {
        class: u16::MAX,
        probability: 0.0,
    };

    /// Whether this is no class.
    pub const fn is_none(&self) -> bool {
        self.class == u16::MAX
    }
}

/// What is kept of a prediction until its label comes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scored {
    /// Two classes.
    Binary {
        /// The score of the positive class, finite.
        score: f64,
        /// Whether the model decided for it.
        positive: bool,
    },
    /// Several classes.
    Multiclass {
        /// The class decided for; the number of classes for one that the reference does not know.
        decided: u16,
        /// The best classes, best first.
        top: [ClassScore; TOP_CLASSES],
    },
    /// A number.
    Regression {
        /// The predicted value, finite.
        value: f64,
    },
    /// Items.
    Ranking {
        /// [`ranking_item`] of the first items, best first; 0 where there are fewer.
        items: [u32; RANKS],
    },
}

/// What turned out to be true.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Truth {
    /// A class by its position; the number of classes for one that the reference does not know. Of two classes, 1 is
    /// the positive one.
    Class(u16),
    /// A finite number.
    Number(f64),
    /// [`ranking_item`] of the wanted item.
    Item(u32),
}

/// Why a label cannot be compared with predictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TruthError {
    /// The model predicts numbers.
    #[error("the label is no finite number, but the model predicts numbers")]
    NotANumber,
    /// The model predicts classes or items.
    #[error("the label is a number that is not whole, but the model predicts classes or items")]
    NotAClass,
}

/// 23 bits of the hash of an item's name, never 0. Two different items are taken for one with a chance of 2^-23.
pub fn ranking_item(name: &str) -> u32 {
    ((hash(name) >> 41) as u32).max(1)
}

const ITEM_BITS: u32 = 23;
const NEGATIVE: u8 = 0;
const POSITIVE: u8 = 1;
const MULTICLASS: u8 = 2;
const REGRESSION: u8 = 3;
const RANKING: u8 = 4;

impl Scored {
    /// The length of the packed form.
    pub const BYTES: usize = 30;

    /// The task that it is of.
    pub const fn task(&self) -> Task {
        match self {
            Self::Binary { .. } => Task::Binary,
            Self::Multiclass { .. } => Task::Multiclass,
            Self::Regression { .. } => Task::Regression,
            Self::Ranking { .. } => Task::Ranking,
        }
    }

    /// The packed form: a byte for the kind, then little-endian numbers, then zeros.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        match self {
            Self::Binary { score, positive } => {
                bytes[0] = if *positive { POSITIVE } else { NEGATIVE };
                bytes[1..9].copy_from_slice(&score.to_le_bytes());
            }
            Self::Multiclass { decided, top } => {
                bytes[0] = MULTICLASS;
                bytes[1..3].copy_from_slice(&decided.to_le_bytes());
                // A class fits a byte; that there is none is told by a negative probability.
                for (chunk, best) in bytes[3..].chunks_exact_mut(5).zip(top) {
                    let (class, probability) = match best.is_none() {
                        true => (0, -1.0),
                        false => (best.class as u8, best.probability),
                    };
                    chunk[0] = class;
                    chunk[1..].copy_from_slice(&probability.to_le_bytes());
                }
            }
            Self::Regression { value } => {
                bytes[0] = REGRESSION;
                bytes[1..9].copy_from_slice(&value.to_le_bytes());
            }
            Self::Ranking { items } => {
                bytes[0] = RANKING;
                let (mut bits, mut held, mut at) = (0_u64, 0, 1);
                for item in items {
                    bits |= u64::from(*item & ((1 << ITEM_BITS) - 1)) << held;
                    held += ITEM_BITS;
                    while held >= 8 {
                        bytes[at] = bits as u8;
                        (bits, held, at) = (bits >> 8, held - 8, at + 1);
                    }
                }
                bytes[at] = bits as u8;
            }
        }
        bytes
    }

    /// Reads the packed form; none if no prediction has it.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let number = || {
            let value = bytes[1..].first_chunk().map(|b| f64::from_le_bytes(*b));
            value.filter(|v| v.is_finite())
        };
        let scored = match bytes[0] {
            kind @ (NEGATIVE | POSITIVE) => Self::Binary {
                score: number()?,
                positive: kind == POSITIVE,
            },
            MULTICLASS => Self::Multiclass {
                decided: u16::from_le_bytes([bytes[1], bytes[2]]),
                top: top_from(&bytes[3..])?,
            },
            REGRESSION => Self::Regression { value: number()? },
            RANKING => Self::Ranking {
                items: items_from(&bytes[1..]),
            },
            _ => return None,
        };
        // Whatever has another packed form was not packed here.
        (scored.to_bytes() == *bytes).then_some(scored)
    }
}

fn top_from(bytes: &[u8]) -> Option<[ClassScore; TOP_CLASSES]> {
    let mut top = [ClassScore::NONE; TOP_CLASSES];
    for (best, chunk) in top.iter_mut().zip(bytes.chunks_exact(5)) {
        let probability = f32::from_le_bytes(*chunk.last_chunk()?);
        if (0.0..=1.0).contains(&probability) {
            *best = ClassScore {
                class: u16::from(chunk[0]),
                probability,
            };
        }
    }
    Some(top)
}

fn items_from(bytes: &[u8]) -> [u32; RANKS] {
    let (mut bits, mut held) = (0_u64, 0);
    let mut rest = bytes.iter();
    let mut items = [0; RANKS];
    for item in &mut items {
        while held < ITEM_BITS {
            bits |= u64::from(rest.next().copied().unwrap_or(0)) << held;
            held += 8;
        }
        *item = bits as u32 & ((1 << ITEM_BITS) - 1);
        (bits, held) = (bits >> ITEM_BITS, held - ITEM_BITS);
    }
    items
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_scored() -> impl Strategy<Value = Scored> {
        let best = prop_oneof![
            Just(ClassScore::NONE),
            (0_u16..256, 0.0_f32..=1.0)
                .prop_map(|(class, probability)| ClassScore { class, probability }),
        ];
        let finite = || any::<f64>().prop_filter("finite", |x| x.is_finite());
        prop_oneof![
            (finite(), any::<bool>())
                .prop_map(|(score, positive)| Scored::Binary { score, positive }),
            (any::<u16>(), prop::array::uniform5(best))
                .prop_map(|(decided, top)| Scored::Multiclass { decided, top }),
            finite().prop_map(|value| Scored::Regression { value }),
            prop::array::uniform10(0_u32..1 << ITEM_BITS)
                .prop_map(|items| Scored::Ranking { items }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_back(scored in any_scored()) {
            prop_assert_eq!(Scored::from_bytes(&scored.to_bytes()), Some(scored));
        }

        #[test]
        fn hostile_bytes_have_one_meaning_or_none(
            kind in 0_u8..6,
            rest in prop::array::uniform29(any::<u8>()),
        ) {
            let mut bytes = [0; Scored::BYTES];
            bytes[0] = kind;
            bytes[1..].copy_from_slice(&rest);
            if let Some(scored) = Scored::from_bytes(&bytes) {
                prop_assert_eq!(scored.to_bytes(), bytes);
            }
        }
    }

    #[test]
    fn an_item_is_never_nothing() {
        assert!((0..10_000).all(|i| {
            let item = ranking_item(&i.to_string());
            item > 0 && item < 1 << ITEM_BITS
        }));
    }
}
