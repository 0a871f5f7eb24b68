//! From rounds to figures, and what the reader must know of the machine.

use serde::Serialize;

/// The least and the middle of several measurements of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The least: what it costs when nothing is in the way.
    pub min: f64,
    /// The middle: what it costs here and now.
    pub median: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// Of at least one measurement.
    ///
    /// ```
    /// let spread = driftline_bench::figures::Spread::of(&[3.0, 1.0, 8.0, 2.0]);
    /// assert_eq!((spread.min, spread.median, spread.max), (1.0, 2.5, 8.0));
    /// ```
    ///
    /// # Panics
    /// Without any.
    #[must_use]
    pub fn of(measured: &[f64]) -> Self {
        let mut sorted = measured.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let n = sorted.len();
        assert!(n > 0, "nothing was measured");
        Self {
            min: sorted[0],
            median: f64::midpoint(sorted[(n - 1) / 2], sorted[n / 2]),
            max: sorted[n - 1],
        }
    }
}

/// Where something was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// How many of its threads there are.
    pub processors: usize,
    /// How many processes wanted to run in the last minute; more than a few tenths is a busy machine.
    pub load_average: f64,
    /// Whether the compiler has optimised; else no figure means anything.
    pub optimised: bool,
}

impl Machine {
    /// This one, now.
    #[must_use]
    pub fn here() -> Self {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let named = cpuinfo.lines().find(|line| line.starts_with("model name"));
        let processor = named.and_then(|line| line.split_once(": "));
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Self {
            processor: processor.map_or("unknown", |(_, name)| name).to_owned(),
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            load_average: load
                .split(' ')
                .next()
                .and_then(|n| n.parse().ok())
                .unwrap_or(f64::NAN),
            optimised: !cfg!(debug_assertions),
        }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            processor,
            processors,
            load_average,
            optimised,
        } = self;
        write!(
            f,
            "{processors} × {processor}, load average {load_average:.1} at the start"
        )?;
        if !optimised {
            write!(f, "; NOT OPTIMISED: build with --release")?;
        }
        Ok(())
    }
}

/// `2000000` as `2,000,000`.
///
/// ```
/// assert_eq!(driftline_bench::figures::thousands(2_000_000), "2,000,000");
/// assert_eq!(driftline_bench::figures::thousands(999), "999");
/// ```
#[must_use]
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
