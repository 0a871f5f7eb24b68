//! Where an instant stands in a cycle.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

const HOUR_MICROS: i64 = 3_600_000_000;

/// A cycle that references can follow. Hours are of UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Season {
    /// No cycle: one slot.
    #[default]
    None,
    /// 24 slots.
    HourOfDay,
    /// 168 slots; the first hour of Monday is slot 0.
    HourOfWeek,
}

impl Season {
    /// Every cycle, the simplest first.
    pub const ALL: &[Self] = &[Self::None, Self::HourOfDay, Self::HourOfWeek];

    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::HourOfDay => "hour_of_day",
            Self::HourOfWeek => "hour_of_week",
        }
    }

    /// How many slots the cycle has.
    pub const fn slots(self) -> usize {
        match self {
            Self::None => 1,
            Self::HourOfDay => 24,
            Self::HourOfWeek => 168,
        }
    }

    /// The slot of an instant, below [`Season::slots`].
    pub fn slot(self, at: Timestamp) -> usize {
        let hour = at.as_micros().div_euclid(HOUR_MICROS);
        let slot = match self {
            Self::None => 0,
            Self::HourOfDay => hour.rem_euclid(24),
            // The epoch was a Thursday.
            Self::HourOfWeek => (hour + 3 * 24).rem_euclid(168),
        };
        slot as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_follow_the_calendar() {
        // 2024-01-01T00:00:00Z, a Monday.
        let monday = 1_704_067_200;
        let at = |seconds| Timestamp::from_seconds(seconds);
        assert_eq!(Season::HourOfWeek.slot(at(monday)), 0);
        assert_eq!(Season::HourOfWeek.slot(at(monday - 1)), 167);
        assert_eq!(Season::HourOfWeek.slot(at(monday + 25 * 3_600)), 25);
        assert_eq!(Season::HourOfDay.slot(at(monday + 25 * 3_600 + 3_599)), 1);
        assert_eq!(Season::HourOfDay.slot(at(-1)), 23);
        assert_eq!(Season::None.slot(at(monday)), 0);
    }

    #[test]
    fn no_slot_is_out_of_range() {
        for season in Season::ALL {
            for micros in [i64::MIN, -1, 0, 1, i64::MAX] {
                assert!(season.slot(Timestamp::from_micros(micros)) < season.slots());
            }
        }
    }
}
