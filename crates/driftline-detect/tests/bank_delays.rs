//! How long shifts go unnoticed: rows of the table that `bench/detect` prints, with fewer replicates.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use driftline_detect::bank::{Bank, BankOptions, BankState, Indicators, Tally};

const SEED: u64 = 11;
const REPLICATES: usize = 41;
/// Order statistics of 41 replicates that the true median lies between with a probability of 99.6 %.
const INTERVAL: [usize; 3] = [11, 20, 29];
/// Steps in a month, times a hundred features, over one alarm.
const THRESHOLD: f64 = 43_200.0 * 100.0;
const QUIET_MINUTES: u32 = 45;
const EVENTS: usize = 200;
const REFERENCE_VALUES: f64 = 50_000.0;

/// splitmix64.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// A standard normal value (Box and Muller 1958).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (2.0 * PI * self.uniform()).cos()
    }
}

fn normal_quantile(p: f64) -> f64 {
    let (mut low, mut high): (f64, f64) = (-9.0, 9.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if 0.5 * libm::erfc(-middle * FRAC_1_SQRT_2) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// Shares of the reference below each bin's end, as a profile has them by default: 96 equal bins and the tails.
fn levels() -> Vec<f64> {
    let mut levels: Vec<f64> = (1..96).map(|i| f64::from(i) / 96.0).collect();
    levels.extend([0.001, 0.005, 0.995, 0.999, 1.0]);
    levels.sort_by(f64::total_cmp);
    levels
}

/// A column of 100 whose values are normal.
struct Column {
    /// The upper bounds of the bins but for the last.
    edges: Vec<f64>,
    indicators: Indicators,
    reference: Tally,
}

impl Column {
    fn new() -> Self {
        let levels = levels();
        let before = [0.0].iter().chain(&levels);
        let counts: Vec<u64> = levels
            .iter()
            .zip(before)
            .map(|(end, start)| ((end - start) * REFERENCE_VALUES).round() as u64)
            .collect();
        let indicators = Indicators::ordered(&counts);
        let mut reference = Tally::default();
        indicators.read(&counts, &mut reference);
        let inner = &levels[..levels.len() - 1];
        Self {
            edges: inner.iter().map(|level| normal_quantile(*level)).collect(),
            indicators,
            reference,
        }
    }

    /// Minutes to the alarm from the one in which values have first been `shifted`.
    fn delay(&self, bank: &Bank, random: &mut Random, shifted: fn(&mut Random, f64) -> f64) -> u32 {
        let mut state = BankState::new(bank);
        let mut tally = Tally::default();
        for minute in 1..=QUIET_MINUTES + 1_000 {
            let mut counts = vec![0; self.edges.len() + 1];
            for _ in 0..EVENTS {
                let mut value = random.normal();
                if minute > QUIET_MINUTES {
                    value = shifted(random, value);
                }
                counts[self.edges.partition_point(|edge| *edge < value)] += 1;
            }
            self.indicators.read(&counts, &mut tally);
            state.step(bank, &tally);
            if state.evidence() >= THRESHOLD {
                assert!(minute > QUIET_MINUTES, "an alarm without a shift");
                return minute - QUIET_MINUTES;
            }
        }
        u32::MAX
    }
}

/// Not later than published, within the interval of the median.
#[expect(clippy::print_stdout, reason = "shown when a test fails")]
fn check(name: &str, published: [u32; 3], shifted: fn(&mut Random, f64) -> f64) {
    let column = Column::new();
    for (tolerance, published) in [0.0, 0.05, 0.1].into_iter().zip(published) {
        let options = BankOptions {
            tolerance,
            ..BankOptions::default()
        };
        let bank = Bank::new(&column.indicators, &column.reference, &options);
        let mut random = Random(SEED);
        let mut delays: Vec<u32> = (0..REPLICATES)
            .map(|_| column.delay(&bank, &mut random, shifted))
            .collect();
        delays.sort_unstable();
        let [lower, median, upper] = INTERVAL.map(|i| delays[i]);
        println!(
            "{name}, h0 {tolerance}: {median} [{lower}, {upper}] minutes, published {published}; seed {SEED}"
        );
        assert!(lower <= published, "{name}, tolerance {tolerance}");
    }
}

#[test]
fn a_mean_moved_by_a_quarter_of_a_deviation_is_seen_in_time() {
    check("mean .25", [6, 11, 28], |_, value| value + 0.25);
}

#[test]
fn a_spread_larger_by_a_quarter_is_seen_in_time() {
    check("scale 1.25", [3, 6, 10], |_, value| value * 1.25);
}

#[test]
fn a_peak_of_a_twentieth_is_seen_in_time() {
    check("spike 5 %", [5, 8, 16], |random, value| {
        if random.uniform() < 0.05 { 0.7 } else { value }
    });
}
