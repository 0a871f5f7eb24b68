//! A record as the tables of docs/quiet_month.md.

use std::fmt::Write as _;

use crate::classical::RULES;
use crate::record::{Record, ScenarioResult};
use crate::scenario::{DAY, MONTH};
use crate::shifts::{CLASSICAL, SHIFTS, ShiftResult, TOLERANCES};

/// The share of months that are to keep the budget; what does not reach it is printed bold.
const SHARE_WANTED: f64 = 0.95;

/// The tables as Markdown.
pub(crate) fn markdown(record: &Record) -> String {
    let mut out = String::new();
    let pools: Vec<usize> = record
        .scenarios
        .iter()
        .map(|scenario| scenario.pool)
        .collect();
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "Run of {} at commit `{}` on {}; seed {}; pools of {} to {} feature-months, {:.1} hours of CPU time.\n",
        record.date,
        record.commit,
        record.machine,
        record.seed,
        pools.iter().min().unwrap_or(&0),
        pools.iter().max().unwrap_or(&0),
        record.pool_seconds / 3_600.0,
    );
    budget(&mut out, record);
    calibration(&mut out, record);
    flood(&mut out, record);
    delays(&mut out, record);
    out
}

fn header(out: &mut String, columns: &[String]) {
    let _ = writeln!(out, "| {} |", columns.join(" | "));
    let _ = writeln!(out, "|{}", " --- |".repeat(columns.len()));
}

fn columns(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn line(out: &mut String, cells: &[String]) {
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}

fn name(scenario: &ScenarioResult) -> [String; 2] {
    [
        scenario.scenario.kind.words().to_owned(),
        thousands(u64::from(scenario.scenario.rate)),
    ]
}

fn budget(out: &mut String, record: &Record) {
    let _ = writeln!(
        out,
        "### The budget: at most {} alarm a month\n",
        record.alarms_per_month
    );
    header(
        out,
        &columns(&[
            "what the month is like",
            "events a minute",
            "months with at most N alarms",
            "at least",
            "most alarms",
            "largest S / c: median of months",
            "maximum",
            "pool",
            "of these, reached c alone",
            "reached c/100",
            "P(an alarm in a month) at most",
        ]),
    );
    for scenario in &record.scenarios {
        let most = scenario.months_by_alarms.keys().max().copied().unwrap_or(0);
        let within = format!("{} of {}", scenario.months_within, scenario.months);
        let kept = scenario.months_within as f64 >= SHARE_WANTED * scenario.months as f64;
        let [median, _, maximum] = scenario.peaks;
        let mut cells = name(scenario).to_vec();
        cells.extend([
            if kept {
                within
            } else {
                format!("**{within}**")
            },
            percent(scenario.share_within_lower),
            most.to_string(),
            significant(median),
            significant(maximum),
            scenario.pool.to_string(),
            scenario.features_alarmed.to_string(),
            scenario.features_above_share.to_string(),
            percent(scenario.alarm_probability_upper()),
        ]);
        line(out, &cells);
    }
    out.push('\n');
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn calibration(out: &mut String, record: &Record) {
    let _ = writeln!(out, "### What calibration said\n");
    header(
        out,
        &columns(&[
            "what the month is like",
            "events a minute",
            "reference",
            "band: median",
            "maximum",
            "dispersion: median",
            "maximum",
        ]),
    );
    for scenario in &record.scenarios {
        let said = &scenario.calibration;
        let seasons = said.seasons.iter().map(|(season, n)| {
            format!(
                "{} {:.0} %",
                season.replace('_', " "),
                (100 * n) as f64 / scenario.pool as f64
            )
        });
        let mut cells = name(scenario).to_vec();
        cells.push(seasons.collect::<Vec<_>>().join(", "));
        cells.extend(said.band.map(|band| format!("{band:.3}")));
        cells.extend(said.dispersion.map(|dispersion| format!("{dispersion:.2}")));
        line(out, &cells);
    }
    out.push('\n');
}

fn flood(out: &mut String, record: &Record) {
    let floods = record
        .scenarios
        .iter()
        .filter_map(|scenario| scenario.classical.as_ref());
    let days = floods.map(|flood| flood.minutes / DAY).min().unwrap_or(0);
    let _ = writeln!(
        out,
        "### Alarms a month of 100 features, by rule\n\nClassical rules: from {days} days, scaled. Bank: the pool's \
         mean, in brackets those about out-of-range values.\n"
    );
    let mut names = columns(&[
        "what the month is like",
        "events a minute",
        "bank, calibrated",
        "bank, not",
    ]);
    names.extend(RULES.map(str::to_owned));
    header(out, &names);
    for scenario in &record.scenarios {
        let mut cells = name(scenario).to_vec();
        cells.push(match scenario.quality_alarms_a_month {
            0.0 => significant(scenario.alarms_a_month),
            quality => {
                format!(
                    "{} ({})",
                    significant(scenario.alarms_a_month),
                    significant(quality)
                )
            }
        });
        cells.push(
            scenario
                .alarms_a_month_uncalibrated
                .map_or("–".to_owned(), significant),
        );
        match &scenario.classical {
            None => cells.extend(RULES.map(|_| "–".to_owned())),
            Some(flood) => {
                for (episodes, minutes) in flood.episodes.iter().zip(flood.minutes_in_alarm) {
                    let share = 100.0 * minutes as f64 / flood.minutes as f64;
                    let a_month = *episodes as f64 * MONTH as f64 / flood.minutes as f64;
                    cells.push(match episodes {
                        0 if minutes == 0 => "0".to_owned(),
                        _ => format!("{} ({share:.0} %)", thousands(a_month.round() as u64)),
                    });
                }
            }
        }
        line(out, &cells);
    }
    out.push('\n');
}

fn delays(out: &mut String, record: &Record) {
    let replicates = record
        .shifts
        .iter()
        .map(|shift| shift.replicates)
        .min()
        .unwrap_or(0);
    let _ = writeln!(
        out,
        "### Minutes until a shift is seen, median of {replicates}\n"
    );
    let mut names = columns(&["shift", "events a minute"]);
    for tolerance in TOLERANCES {
        names.push(format!("bank, tolerance {tolerance}"));
        names.push("bar".to_owned());
    }
    names.extend(CLASSICAL.map(|rule| RULES[rule].to_owned()));
    header(out, &names);
    for result in &record.shifts {
        line(out, &delay_cells(result));
    }
    out.push('\n');
}

fn delay_cells(result: &ShiftResult) -> Vec<String> {
    let bar = SHIFTS
        .iter()
        .find(|(shift, rate, _)| (*shift, *rate) == (result.shift, result.rate))
        .map_or([None; 3], |(_, _, bar)| *bar);
    let mut cells = vec![result.shift.words(), thousands(u64::from(result.rate))];
    for (delay, bar) in result.bank.iter().zip(bar) {
        let kept = match (delay.median, bar) {
            (Some(median), Some(bar)) => median <= f64::from(bar),
            (None, Some(_)) => false,
            (_, None) => true,
        };
        let text = shown_delay(delay.median, delay.found);
        cells.push(if kept { text } else { format!("**{text}**") });
        cells.push(bar.map_or("miss".to_owned(), |bar| bar.to_string()));
    }
    let classical = result.classical.iter();
    cells.extend(classical.map(|delay| shown_delay(delay.median, delay.found)));
    cells
}

fn shown_delay(median: Option<f64>, found: f64) -> String {
    match median {
        Some(minutes) => format!("{minutes}"),
        None if found > 0.0 => format!("miss ({:.0} %)", 100.0 * found),
        None => "miss".to_owned(),
    }
}

/// Two significant digits.
fn significant(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if value >= 100.0 {
        return thousands(value.round() as u64);
    }
    let digits = (1.0 - value.abs().log10().floor()).max(0.0) as usize;
    if digits > 6 {
        format!("{value:.0e}")
    } else {
        format!("{value:.digits$}")
    }
}

fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).expect("digits are ASCII"))
        .collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, 0.000_123, 0.012_3, 1.26, 37.2, 12_345.0].map(significant);
        assert_eq!(shown, ["0", "0.00012", "0.012", "1.3", "37", "12,345"]);
        assert_eq!(significant(3.4e-12), "3e-12");
    }
}
