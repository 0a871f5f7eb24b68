//! The pool: months of one feature, simulated once and kept in a file, so that a run can be stopped and go on.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};
use driftline_event::Season;
use driftline_sketch::{NumericProfile, NumericSummary};

use crate::judge::{self, Fit, History, Judge, Setting, threshold};
use crate::months::{FeatureMonth, Recorder};
use crate::rng::{Poisson, Rng};
use crate::scenario::{CALIBRATION_DAYS, DAY, MONTH, Path, REFERENCE_ROWS, Scenario};
use crate::traffic::{Counter, profile};

/// How many feature-months of a pool are also judged without calibration.
const UNCALIBRATED: u64 = 20;

/// How long a feature-month is; the test takes less.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lengths {
    pub(crate) reference_rows: usize,
    pub(crate) calibration_days: usize,
    pub(crate) month: usize,
}

impl Lengths {
    pub(crate) const FULL: Self = Self {
        reference_rows: REFERENCE_ROWS,
        calibration_days: CALIBRATION_DAYS,
        month: MONTH,
    };
}

/// One feature from its first minute on.
#[derive(Debug)]
struct Life<'a> {
    rng: Rng,
    path: Path,
    profile: &'a NumericProfile,
    counter: Counter<'a>,
    pane: NumericSummary,
    minute: usize,
}

impl Life<'_> {
    /// Counts the next minute.
    fn next(&mut self) -> (usize, &NumericSummary) {
        let minute = self.minute;
        let law = self.path.next(minute, &mut self.rng);
        self.counter.minute(&mut self.rng, law, &mut self.pane);
        self.minute += 1;
        (minute, &self.pane)
    }

    /// Lives through the days before the month, and says what they are like.
    fn calibrate(&mut self, days: usize) -> Fit {
        let mut history = History::new(self.profile);
        for _ in 0..days * DAY {
            let (minute, pane) = self.next();
            history.push(minute, pane);
        }
        history.fit()
    }
}

/// One feature's month: a reference, fourteen days that calibrate, and the thirty days after them.
///
/// The first [`UNCALIBRATED`] are also judged without calibration, for comparison.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Simulation<'a> {
    pub(crate) scenario: Scenario,
    pub(crate) seed: u64,
    pub(crate) lengths: Lengths,
    pub(crate) poisson: &'a Poisson,
}

impl Simulation<'_> {
    fn with_life<T>(&self, index: u64, live: impl FnOnce(Life<'_>) -> T) -> T {
        let mut rng = Rng::new(self.seed, self.scenario.stream() ^ (index << 40));
        let kind = self.scenario.kind;
        let path = Path::new(kind, &mut rng);
        let profile = profile(path.reference(self.lengths.reference_rows, &mut rng));
        let rate = f64::from(self.scenario.rate);
        live(Life {
            counter: Counter::new(self.poisson, &profile, rate, kind.bursts()),
            pane: profile.empty_summary(),
            profile: &profile,
            rng,
            path,
            minute: 0,
        })
    }

    /// The season that the first features' histories propose; a model has one for all.
    pub(crate) fn season(&self, features: u64) -> Season {
        let days = self.lengths.calibration_days;
        let fit = |index| self.with_life(index, |mut life| life.calibrate(days));
        let fits: Vec<Fit> = (0..features).map(fit).collect();
        judge::season(&fits)
    }

    pub(crate) fn month(&self, index: u64, season: Season) -> FeatureMonth {
        self.with_life(index, |life| self.live(index, season, life))
    }

    fn live(&self, index: u64, season: Season, mut life: Life<'_>) -> FeatureMonth {
        let started = Instant::now();
        let setting = Setting::calibrated(life.calibrate(self.lengths.calibration_days), season);
        let calibration = setting.summary();
        let mut judge = Judge::new(setting);
        let mut plain = (index < UNCALIBRATED).then(|| {
            let setting = Setting::plain(life.profile, Setting::UNCALIBRATED);
            (Judge::new(setting), 0_u32)
        });
        let mut recorder = Recorder::new(threshold());
        let mut alarms = Vec::new();
        for day_minute in 0..self.lengths.month {
            let (minute, pane) = life.next();
            let verdict = judge.step(minute, pane);
            recorder.minute(verdict.evidence);
            alarms.extend(verdict.alarm.map(|blame| (day_minute as u32, blame)));
            if let Some((plain, alarms)) = &mut plain {
                *alarms += u32::from(plain.step(minute, pane).alarm.is_some());
            }
        }
        let (hours, loud) = recorder.finish();
        FeatureMonth {
            index,
            alarms,
            hours,
            loud,
            uncalibrated: plain.map(|(_, alarms)| alarms),
            calibration,
            seconds: started.elapsed().as_secs_f64(),
        }
    }
}

/// The feature-months of one scenario that are in its file.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) scenario: Scenario,
    pub(crate) months: Vec<FeatureMonth>,
    path: PathBuf,
}

impl Pool {
    /// Reads what earlier runs left. A last line that was cut off by a kill is dropped.
    pub(crate) fn open(directory: &FilePath, scenario: Scenario) -> Result<Self> {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        let path = directory.join(format!("{scenario}.jsonl"));
        let mut months: Vec<FeatureMonth> = Vec::new();
        let mut good = 0;
        if path.exists() {
            let mut reader = BufReader::new(File::open(&path)?);
            let mut line = String::new();
            while reader.read_line(&mut line)? > 0 {
                let Some(month) = line.ends_with('\n').then(|| serde_json::from_str(&line)) else {
                    break;
                };
                months.push(month.with_context(|| format!("cannot read {}", path.display()))?);
                good += line.len() as u64;
                line.clear();
            }
            File::options().write(true).open(&path)?.set_len(good)?;
        }
        months.sort_by_key(|month| month.index);
        Ok(Self {
            scenario,
            months,
            path,
        })
    }

    /// Simulates until there are `target` feature-months or it is `deadline`.
    pub(crate) fn grow(
        &mut self,
        target: usize,
        simulation: Simulation<'_>,
        season: Season,
        jobs: usize,
        deadline: Instant,
    ) -> Result<()> {
        let file = File::options().create(true).append(true).open(&self.path)?;
        // In order of their indices, so that a pool cut short is no choice among quick or quiet months.
        let have: Vec<u64> = self.months.iter().map(|month| month.index).collect();
        let missing: Vec<u64> = (0..target as u64)
            .filter(|index| have.binary_search(index).is_err())
            .collect();
        let next = AtomicU64::new(0);
        let done = Mutex::new((file, Vec::new()));
        thread::scope(|scope| {
            let work = || -> Result<()> {
                while Instant::now() < deadline {
                    let place = next.fetch_add(1, Ordering::Relaxed) as usize;
                    let Some(&index) = missing.get(place) else {
                        break;
                    };
                    let month = simulation.month(index, season);
                    let mut line = serde_json::to_vec(&month)?;
                    line.push(b'\n');
                    let mut done = done.lock().expect("no thread panicked");
                    done.0.write_all(&line)?;
                    done.1.push(month);
                }
                Ok(())
            };
            let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().expect("a simulation panicked"))
        })?;
        let (_, new) = done.into_inner().expect("no thread panicked");
        self.months.extend(new);
        self.months.sort_by_key(|month| month.index);
        Ok(())
    }
}
