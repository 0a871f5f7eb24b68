//! How long each rule takes to see a shift.

use serde::{Deserialize, Serialize};

use crate::classical::Window;
use crate::judge::{Judge, Setting};
use crate::rng::{Poisson, Rng};
use crate::scenario::{DAY, REFERENCE_ROWS};
use crate::traffic::{Bursts, Counter, Law, profile};

/// The shifts, and for each the delays that the issue sets as the bar: the median minutes of the same rule in the
/// research's simulation, at tolerances 0, 0.05 and 0.1; `None` where it found less than half.
pub(crate) const SHIFTS: [(Shift, u32, [Option<u32>; 3]); 12] = [
    (Shift::Mean(0.1), 200, [Some(40), None, None]),
    (Shift::Mean(0.25), 20, [Some(44), Some(90), Some(222)]),
    (Shift::Mean(0.25), 200, [Some(6), Some(11), Some(28)]),
    (Shift::Mean(0.25), 2_000, [Some(1), Some(2), Some(3)]),
    (Shift::Mean(0.5), 20, [Some(11), Some(14), Some(21)]),
    (Shift::Mean(0.5), 200, [Some(2), Some(2), Some(3)]),
    (Shift::Mean(1.0), 20, [Some(3), Some(4), Some(4)]),
    (Shift::Scale(1.1), 200, [Some(20), Some(98), None]),
    (Shift::Scale(1.25), 200, [Some(3), Some(6), Some(10)]),
    (Shift::Spike(0.02), 200, [Some(25), Some(131), None]),
    (Shift::Spike(0.05), 200, [Some(5), Some(8), Some(16)]),
    (Shift::Ramp(0.5), 200, [Some(87), Some(134), Some(180)]),
];

/// The tolerances of the table's columns.
pub(crate) const TOLERANCES: [f64; 3] = [0.0, 0.05, 0.1];

/// The classical rules of the table, by their places among all.
pub(crate) const CLASSICAL: [usize; 5] = [0, 3, 4, 5, 6];

/// Minutes of a ramp.
const RAMP_MINUTES: f64 = 360.0;

/// What happens to a feature that was standard normal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Shift {
    /// The mean moves by so many standard deviations.
    Mean(f64),
    /// The standard deviation is multiplied.
    Scale(f64),
    /// So large a share of values becomes one constant.
    Spike(f64),
    /// The mean moves steadily over six hours.
    Ramp(f64),
}

impl Shift {
    fn law(self, minutes_since: usize) -> Law {
        let normal = Law::STANDARD;
        match self {
            Self::Mean(mean) => Law::at(mean),
            Self::Scale(scale) => Law { scale, ..normal },
            Self::Spike(spike) => Law { spike, ..normal },
            Self::Ramp(mean) => Law::at(mean * (minutes_since as f64 / RAMP_MINUTES).min(1.0)),
        }
    }

    pub(crate) fn words(self) -> String {
        match self {
            Self::Mean(mean) => format!("mean {mean} sd"),
            Self::Scale(scale) => format!("scale × {scale}"),
            Self::Spike(spike) => format!("{} % spike (one value)", 100.0 * spike),
            Self::Ramp(mean) => format!("ramp to {mean} sd over 6 h"),
        }
    }
}

/// How long to look for a shift, in minutes.
pub(crate) fn patience(rate: u32) -> usize {
    if rate <= 20 { 3_000 } else { 1_200 }
}

/// What was seen of one shift.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ShiftResult {
    pub(crate) shift: Shift,
    pub(crate) rate: u32,
    pub(crate) replicates: usize,
    /// By tolerance.
    pub(crate) bank: Vec<Delay>,
    /// By rule of [`CLASSICAL`].
    pub(crate) classical: Vec<Delay>,
}

/// Minutes from a shift to its detection.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Delay {
    /// `None` where less than half was found in time.
    pub(crate) median: Option<f64>,
    /// Share found in time.
    pub(crate) found: f64,
    /// Replicates in which the rule had alarmed in the day before the shift; they start anew at it.
    pub(crate) false_starts: usize,
}

/// What one replicate gave: a delay for each rule, and whether the bank alarmed before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replicate {
    pub(crate) bank: [Option<usize>; TOLERANCES.len()],
    pub(crate) classical: [Option<usize>; CLASSICAL.len()],
    early: [bool; TOLERANCES.len()],
}

/// One replicate: a reference of its own, a day without drift, then the shift.
pub(crate) fn replicate(row: usize, index: usize, seed: u64, poisson: &Poisson) -> Replicate {
    let (shift, rate, _) = SHIFTS[row];
    let mut rng = Rng::new(seed ^ 0x5417, ((row as u64) << 32) | index as u64);
    let profile = profile((0..REFERENCE_ROWS).map(|_| rng.normal()).collect());
    let mut counter = Counter::new(poisson, &profile, f64::from(rate), Bursts::None).regular();
    let mut judges = TOLERANCES.map(|tolerance| Judge::new(Setting::plain(&profile, tolerance)));
    let mut window = Window::new(&profile);
    let mut pane = profile.empty_summary();
    let mut result = Replicate::default();
    for minute in 0..DAY {
        counter.minute(&mut rng, Law::STANDARD, &mut pane);
        for (judge, early) in judges.iter_mut().zip(&mut result.early) {
            *early |= judge.step(minute, &pane).alarm.is_some();
        }
        window.slide(&pane);
    }
    for minute in 1..=patience(rate) {
        counter.minute(&mut rng, shift.law(minute), &mut pane);
        for (judge, delay) in judges.iter_mut().zip(&mut result.bank) {
            if delay.is_none() && judge.step(DAY + minute, &pane).alarm.is_some() {
                *delay = Some(minute);
            }
        }
        window.slide(&pane);
        if let Some(look) = window.look() {
            let holds = look.holds();
            for (rule, delay) in CLASSICAL.iter().zip(&mut result.classical) {
                if delay.is_none() && holds[*rule] {
                    *delay = Some(minute);
                }
            }
        }
        let all = result.bank.iter().chain(&result.classical);
        if all.into_iter().all(Option::is_some) {
            break;
        }
    }
    result
}

/// The table's row from its replicates.
pub(crate) fn summarise(row: usize, replicates: &[Replicate]) -> ShiftResult {
    let (shift, rate, _) = SHIFTS[row];
    let bank = (0..TOLERANCES.len()).map(|i| {
        let early = replicates.iter().filter(|r| r.early[i]).count();
        delay(replicates.iter().map(|r| r.bank[i]).collect(), early)
    });
    let classical =
        (0..CLASSICAL.len()).map(|i| delay(replicates.iter().map(|r| r.classical[i]).collect(), 0));
    ShiftResult {
        shift,
        rate,
        replicates: replicates.len(),
        bank: bank.collect(),
        classical: classical.collect(),
    }
}

fn delay(delays: Vec<Option<usize>>, false_starts: usize) -> Delay {
    let n = delays.len();
    let mut found: Vec<usize> = delays.into_iter().flatten().collect();
    found.sort_unstable();
    let at = |place: usize| found.get(place).map(|minutes| *minutes as f64);
    // Of an even number, the mean of the middle two; what was not found is later than all that was.
    let median = at((n - 1) / 2)
        .zip(at(n / 2))
        .map(|(low, high)| 0.5 * (low + high));
    Delay {
        median,
        found: found.len() as f64 / n as f64,
        false_starts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_knows_what_was_not_found() {
        let of = |delays: &[Option<usize>]| delay(delays.to_vec(), 0).median;
        assert_eq!(of(&[Some(4), None, Some(2)]), Some(4.0));
        assert_eq!(of(&[Some(4), Some(2)]), Some(3.0));
        assert_eq!(of(&[Some(4), None]), None);
    }

    #[test]
    fn half_a_deviation_is_seen_within_minutes() {
        let seen = replicate(5, 0, 1, &Poisson::new());
        assert!(
            seen.bank.iter().all(|delay| delay.is_some_and(|d| d <= 10)),
            "{seen:?}"
        );
        assert!(
            seen.classical[1].is_some_and(|delay| delay <= 20),
            "{seen:?}"
        );
    }
}
