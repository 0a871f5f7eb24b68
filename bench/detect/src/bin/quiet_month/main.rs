//! The quiet month: false alarms when nothing has drifted, and how long a shift takes to be seen.
//!
//! `cargo xtask bench quiet-month` runs it and writes its table into `docs/quiet_month.md`, which says what is
//! simulated and what is counted.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool: results on stdout, progress on stderr"
)]

mod classical;
mod judge;
mod months;
mod pool;
mod record;
mod rng;
mod scenario;
mod shifts;
mod table;
mod traffic;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use driftline_bench_detect::{machine, today};
use driftline_event::Season;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::pool::{Lengths, Pool, Simulation};
use crate::record::{ALARMS_PER_MONTH, Record, ScenarioResult};
use crate::rng::Poisson;
use crate::scenario::{DAY, FEATURES, Kind, Scenario};
use crate::shifts::{SHIFTS, ShiftResult};

/// How many features' histories choose a scenario's season.
const SEASON_FEATURES: u64 = 8;

#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Simulate, going on from what earlier runs left, and write the record
    Run(Run),
    /// Print a record as the tables of docs/quiet_month.md
    Table {
        /// The record
        record: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Run {
    /// Months of a hundred features to put together in each scenario
    #[arg(long, default_value_t = 1_000)]
    months: usize,
    /// Feature-months to simulate in each scenario; all get a hundred first, then twice as many, and so on
    #[arg(long, default_value_t = 1_600)]
    pool: usize,
    /// Only these kinds of month
    #[arg(long, value_enum, value_delimiter = ',')]
    scenarios: Vec<Kind>,
    /// Only these rates of events a minute
    #[arg(long, value_delimiter = ',')]
    rates: Vec<u32>,
    /// Replicates of each shift; none leaves the shifts out
    #[arg(long, default_value_t = 200)]
    replicates: usize,
    /// Days in which the classical rules look at the hundred features; what they raise is scaled to a month
    #[arg(long, default_value_t = 30)]
    classical_days: usize,
    /// Threads
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Stop simulating after so many minutes; a later run goes on from there
    #[arg(long, default_value_t = 60)]
    minutes: u64,
    /// Seed of all random numbers
    #[arg(long, default_value_t = 20_261_123)]
    seed: u64,
    /// The commit that this was built from, for the record
    #[arg(long, default_value = "unknown")]
    commit: String,
    /// Where the pools are kept; delete or change it when the rule changes
    #[arg(long, default_value = "target/quiet_month")]
    directory: PathBuf,
    /// Where the record goes; its path is printed
    #[arg(long, default_value_os_t = default_record())]
    out: PathBuf,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(run) => run.execute(),
        Command::Table { record } => print_table(&record),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn print_table(path: &Path) -> Result<()> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    print!("{}", table::markdown(&serde_json::from_str(&text)?));
    Ok(())
}

impl Run {
    fn execute(&self) -> Result<()> {
        let started = Instant::now();
        let deadline = started + Duration::from_secs(60 * self.minutes);
        let poisson = Poisson::new();
        let wanted = |scenario: &Scenario| {
            (self.scenarios.is_empty() || self.scenarios.contains(&scenario.kind))
                && (self.rates.is_empty() || self.rates.contains(&scenario.rate))
        };
        let mut pools = Vec::new();
        for scenario in Scenario::all().into_iter().filter(wanted) {
            pools.push(Pool::open(&self.directory, scenario)?);
        }
        let seasons = self.seasons(&pools, &poisson)?;
        let mut target = FEATURES.min(self.pool);
        let mut shifts = Vec::new();
        loop {
            for (pool, season) in pools.iter_mut().zip(&seasons) {
                let simulation = self.simulation(pool.scenario, &poisson);
                pool.grow(target, simulation, *season, self.jobs, deadline)?;
                let (have, seconds) = (pool.months.len(), started.elapsed().as_secs());
                eprintln!(
                    "{seconds:>6} s  {} has {have} feature-months",
                    pool.scenario
                );
            }
            // After the first small pools, so that a short run shows every table.
            if shifts.is_empty() {
                shifts = self.shifts(&poisson, deadline)?;
                self.floods(&pools, &poisson, deadline)?;
            }
            self.write(&pools, &shifts)?;
            if target >= self.pool || Instant::now() >= deadline {
                break;
            }
            target = (2 * target).min(self.pool);
        }
        eprintln!("{:>6} s  done", started.elapsed().as_secs());
        println!("{}", self.out.display());
        Ok(())
    }

    fn simulation<'a>(&self, scenario: Scenario, poisson: &'a Poisson) -> Simulation<'a> {
        Simulation {
            scenario,
            seed: self.seed,
            lengths: Lengths::FULL,
            poisson,
        }
    }

    /// The season that each scenario's model follows.
    fn seasons(&self, pools: &[Pool], poisson: &Poisson) -> Result<Vec<Season>> {
        let seasons = self.parallel(pools.len(), |i| {
            let scenario = pools[i].scenario;
            cached(
                &self.directory.join(format!("{scenario}-season.json")),
                || {
                    let season = self.simulation(scenario, poisson).season(SEASON_FEATURES);
                    eprintln!("          {scenario}: season {}", season.as_str());
                    season
                },
            )
        });
        seasons.into_iter().collect()
    }

    /// The shifts' rows, as many as there is time for.
    fn shifts(&self, poisson: &Poisson, deadline: Instant) -> Result<Vec<ShiftResult>> {
        let mut rows = Vec::new();
        for row in 0..SHIFTS.len() {
            let file = format!("shift-{row}-{}.json", self.replicates);
            let file = self.directory.join(file);
            let is_late = Instant::now() >= deadline && !file.exists();
            if self.replicates == 0 || is_late {
                break;
            }
            rows.push(cached(&file, || {
                let replicates = self.parallel(self.replicates, |index| {
                    shifts::replicate(row, index, self.seed, poisson)
                });
                let result = shifts::summarise(row, &replicates);
                eprintln!(
                    "          {} at {} a minute: done",
                    result.shift.words(),
                    result.rate
                );
                result
            })?);
        }
        Ok(rows)
    }

    /// The months of the classical rules; they are read again where the record is written.
    fn floods(&self, pools: &[Pool], poisson: &Poisson, deadline: Instant) -> Result<()> {
        let minutes = self.classical_days * DAY;
        let missing: Vec<Scenario> = pools.iter().map(|pool| pool.scenario).collect();
        let results = self.parallel(missing.len(), |i| {
            if Instant::now() >= deadline {
                return Ok(());
            }
            let scenario = missing[i];
            cached(&self.flood_file(scenario), || {
                let flood = classical::flood(scenario, self.seed, FEATURES, minutes, poisson);
                eprintln!("          {scenario}: the classical rules are done");
                flood
            })
            .map(drop)
        });
        results.into_iter().collect()
    }

    fn flood_file(&self, scenario: Scenario) -> PathBuf {
        self.directory
            .join(format!("{scenario}-classical-{}.json", self.classical_days))
    }

    /// The results of `count` pieces of work, in order.
    fn parallel<T: Send>(&self, count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
        let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for _ in 0..self.jobs {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= count {
                            break;
                        }
                        let result = work(index);
                        done.lock()
                            .expect("no thread panicked")
                            .push((index, result));
                    }
                });
            }
        });
        let mut done = done.into_inner().expect("no thread panicked");
        done.sort_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, result)| result).collect()
    }

    fn write(&self, pools: &[Pool], shifts: &[ShiftResult]) -> Result<()> {
        let mut scenarios = Vec::new();
        for pool in pools {
            let flood = read(&self.flood_file(pool.scenario))?;
            scenarios.extend(ScenarioResult::new(
                pool.scenario,
                &pool.months,
                self.months,
                self.seed,
                flood,
            ));
        }
        let record = Record {
            date: today(),
            commit: self.commit.clone(),
            machine: machine(),
            seed: self.seed,
            jobs: self.jobs,
            pool_seconds: scenarios.iter().map(|scenario| scenario.pool_seconds).sum(),
            alarms_per_month: ALARMS_PER_MONTH,
            scenarios,
            shifts: shifts.to_vec(),
        };
        if let Some(directory) = self.out.parent() {
            fs::create_dir_all(directory)?;
        }
        let text = serde_json::to_string_pretty(&record)? + "\n";
        fs::write(&self.out, text).with_context(|| format!("cannot write {}", self.out.display()))
    }
}

/// Reads a result of an earlier run.
fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(path)?;
    let value = serde_json::from_str(&text);
    value
        .map(Some)
        .with_context(|| format!("cannot read {}", path.display()))
}

/// Reads a result of an earlier run, or makes it and keeps it.
fn cached<T: Serialize + DeserializeOwned>(path: &Path, make: impl FnOnce() -> T) -> Result<T> {
    if let Some(value) = read(path)? {
        return Ok(value);
    }
    let value = make();
    fs::write(path, serde_json::to_vec(&value)?)?;
    Ok(value)
}

fn default_record() -> PathBuf {
    Path::new("bench/runs/quiet_month").join(format!("{}.json", today()))
}

#[cfg(test)]
mod tests;
