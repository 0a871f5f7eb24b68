//! How long a shift goes unnoticed, at one false alarm a month for a hundred features.

use std::fmt;

use anyhow::{Result, ensure};
use driftline_detect::bank::{Bank, BankOptions, BankState, Indicators, Tally};
use driftline_event::ColumnRole;
use driftline_sketch::{ColumnProfile, NumericProfile, ProfileOptions, ReferenceBuilder};

use crate::random::Random;

/// Steps in a month, times features, over one alarm.
const THRESHOLD: f64 = 43_200.0 * 100.0;
const REFERENCE_VALUES: usize = 50_000;
const TOLERANCES: [f64; 3] = [0.0, 0.05, 0.1];
/// Where all the mass of a spike lies.
const SPIKE: f64 = 0.7;

#[derive(Clone, Copy)]
enum Shift {
    Mean(f64),
    Scale(f64),
    Spike(f64),
    /// The mean moves to half a standard deviation within six hours.
    Ramp,
}

struct Row {
    name: &'static str,
    shift: Shift,
    events: usize,
    /// Published medians at the three tolerances, in minutes; none where fewer than half were found.
    published: [Option<f64>; 3],
}

fn rows() -> Vec<Row> {
    let row = |name, shift, events, published| Row {
        name,
        shift,
        events,
        published,
    };
    let all = |a, b, c| [Some(a), Some(b), Some(c)];
    vec![
        row("mean .1", Shift::Mean(0.1), 200, [Some(40.0), None, None]),
        row("mean .25", Shift::Mean(0.25), 20, all(44.0, 90.0, 222.0)),
        row("mean .25", Shift::Mean(0.25), 200, all(6.0, 11.0, 28.0)),
        row("mean .25", Shift::Mean(0.25), 2_000, all(1.0, 2.0, 3.0)),
        row("mean .5", Shift::Mean(0.5), 20, all(11.0, 14.0, 21.0)),
        row("mean .5", Shift::Mean(0.5), 200, all(2.0, 2.0, 3.0)),
        row("mean 1", Shift::Mean(1.0), 20, all(3.0, 4.0, 4.0)),
        row(
            "scale 1.1",
            Shift::Scale(1.1),
            200,
            [Some(20.0), Some(98.0), None],
        ),
        row("scale 1.25", Shift::Scale(1.25), 200, all(3.0, 6.0, 10.0)),
        row(
            "spike 2 %",
            Shift::Spike(0.02),
            200,
            [Some(25.0), Some(131.0), None],
        ),
        row("spike 5 %", Shift::Spike(0.05), 200, all(5.0, 8.0, 16.0)),
        row("ramp to .5", Shift::Ramp, 200, all(87.0, 134.0, 180.0)),
    ]
}

/// Replicates of the published medians.
const PUBLISHED_REPLICATES: f64 = 200.0;

/// Prints the table as markdown. A cell is late if the lower end of its median's interval is above what the published median
/// may be, which is one of 200 replicates and so has an interval as well.
#[expect(clippy::print_stdout, reason = "the table is the output")]
pub(crate) fn run(replicates: usize, quiet: i32, seed: u64) -> Result<()> {
    ensure!(replicates >= 10, "an interval takes ten replicates");
    ensure!(seed < 256, "larger seeds would share replicates");
    println!(
        "Median minutes from the shift to the alarm, [its 95 % interval], the published median; {replicates} replicates, \
         seed {seed}, after {quiet} quiet minutes.\n"
    );
    println!("| shift | events/min | h0 = 0 | h0 = 0.05 | h0 = 0.1 |");
    println!("| --- | --: | --- | --- | --- |");
    let profile = profile()?;
    let mut late = 0;
    for (i, row) in rows().iter().enumerate() {
        let mut delays = [const { Vec::new() }; 3];
        for replicate in 0..replicates {
            let stream = seed ^ (i as u64) << 40 ^ (replicate as u64) << 8;
            for (all, delay) in delays
                .iter_mut()
                .zip(replicate_delays(row, &profile, quiet, stream))
            {
                all.push(delay);
            }
        }
        let mut line = format!("| {} | {} |", row.name, row.events);
        for (all, published) in delays.into_iter().zip(row.published) {
            let cell = Cell::new(all, published);
            late += u32::from(cell.is_late());
            line += &format!(" {cell} |");
        }
        println!("{line}");
    }
    ensure!(
        late == 0,
        "{late} medians are later than the published ones"
    );
    Ok(())
}

/// A median with its interval, beside the published one.
struct Cell {
    /// Lower end, median, upper end, in minutes; infinite where fewer were found.
    ends: [f64; 3],
    found: f64,
    published: Option<f64>,
    /// How far a median of so few replicates as the published one may lie below the true one, in minutes.
    published_error: f64,
}

impl Cell {
    /// The interval is that of the order statistics: as many replicates lie below the true median as a fair coin shows
    /// heads, so it holds whatever the delays' distribution.
    fn new(mut delays: Vec<f64>, published: Option<f64>) -> Self {
        delays.sort_unstable_by(f64::total_cmp);
        let n = delays.len();
        let reach = (0.98 * (n as f64).sqrt()).ceil() as usize;
        let middle = n / 2;
        let few = (0.98 * n as f64 / PUBLISHED_REPLICATES.sqrt()).ceil() as usize;
        let published_error = delays[middle] - delays[middle.saturating_sub(few)];
        let ends = [
            delays[middle.saturating_sub(reach)],
            delays[middle],
            delays[(middle + reach).min(n - 1)],
        ];
        let found = delays.iter().filter(|delay| delay.is_finite()).count() as f64 / n as f64;
        Self {
            ends,
            found,
            published,
            published_error,
        }
    }

    fn is_late(&self) -> bool {
        self.published
            .is_some_and(|published| self.ends[0] > published + self.published_error)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [lower, median, upper] = self.ends;
        if median.is_finite() {
            write!(f, "{median} [{lower}, {upper}]")?;
        } else {
            write!(f, "miss ({:.0} % found)", 100.0 * self.found)?;
        }
        match self.published {
            Some(published) => write!(f, " / {published}")?,
            None => write!(f, " / miss")?,
        }
        if self.is_late() {
            write!(f, " LATE")?;
        }
        Ok(())
    }
}

/// The reference: its values stand at the quantiles of the normal law, as the published figures assume; its size still
/// counts as that of a sample.
fn profile() -> Result<NumericProfile> {
    let n = REFERENCE_VALUES as f64;
    let values = (0..REFERENCE_VALUES).map(|i| normal_quantile((i as f64 + 0.5) / n));
    let values = values.collect();
    let mut builder = ReferenceBuilder::new("model", "1", ProfileOptions::default());
    builder.numeric("x", ColumnRole::Feature, values)?;
    match builder.build()?.columns.remove(0).profile {
        ColumnProfile::Numeric(profile) => Ok(profile),
        _ => anyhow::bail!("the column is numeric"),
    }
}

fn normal_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-9.0, 9.0);
    for _ in 0..60 {
        let middle: f64 = 0.5 * (low + high);
        if 0.5 * libm::erfc(-middle * std::f64::consts::FRAC_1_SQRT_2) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// Minutes to the alarm at each tolerance, on the same data.
fn replicate_delays(row: &Row, profile: &NumericProfile, quiet: i32, seed: u64) -> [f64; 3] {
    let mut random = Random::new(seed);
    let indicators = Indicators::ordered(&profile.reference().counts);
    let mut reference = Tally::default();
    indicators.read(&profile.reference().counts, &mut reference);
    let banks = TOLERANCES.map(|tolerance| {
        let options = BankOptions {
            tolerance,
            ..BankOptions::default()
        };
        Bank::new(&indicators, &reference, &options)
    });
    let mut states = [0, 1, 2].map(|i: usize| BankState::new(&banks[i]));
    let mut delays = [f64::INFINITY; 3];
    let horizon = if row.events <= 20 { 3_000 } else { 1_200 };
    let mut tally = Tally::default();
    let mut values = Vec::new();
    for minute in 1 - quiet..=horizon {
        random.normals(&mut values, row.events);
        if minute > 0 {
            for value in &mut values {
                *value = shifted(row.shift, *value, minute, &mut random);
            }
        }
        let mut pane = profile.empty_summary();
        profile.add_column(&values, &mut pane);
        indicators.read(&pane.counts, &mut tally);
        for i in 0..3 {
            if delays[i].is_infinite() {
                states[i].step(&banks[i], &tally);
                if states[i].evidence() >= THRESHOLD {
                    delays[i] = f64::from(minute);
                }
            }
        }
        if delays.iter().all(|delay| delay.is_finite()) {
            break;
        }
    }
    delays
}

fn shifted(shift: Shift, value: f64, minute: i32, random: &mut Random) -> f64 {
    match shift {
        Shift::Mean(deviations) => value + deviations,
        Shift::Scale(factor) => value * factor,
        Shift::Spike(part) if random.uniform() < part => SPIKE,
        Shift::Spike(_) => value,
        Shift::Ramp => value + 0.5 * f64::from(minute.min(360)) / 360.0,
    }
}
