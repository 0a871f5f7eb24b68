//! Runs a reader from its start to its end and says what each event cost.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use driftline::commands::run::Interrupt;
use driftline_bench::clock::{process_cpu_nanos, threads_cpu_nanos};
use serde::Serialize;

/// How often a reader is looked at: often enough for the clock, too seldom to cost anything.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// A reader that makes no progress for so long never will.
const PATIENCE: Duration = Duration::from_secs(60);
/// Threads that used less than this per event are not worth a line.
const THREAD_NANOS_MIN: f64 = 1.0;

/// What reads all events of a topic once.
pub(crate) trait Reader {
    /// How many events have been read so far.
    fn read(&self) -> u64;
    /// Whether nothing is left to do with the events, once all are read.
    fn is_done(&mut self) -> bool;
    /// Why it cannot go on, if so.
    fn failed(&self) -> bool;
    /// Closes all clients, and checks what was done.
    fn close(self) -> Result<()>;
}

/// What one run cost, in nanoseconds per event.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    /// CPU time of the process, from before the first client was made until the last was closed.
    #[serde(rename = "cpu_nanos_per_event")]
    pub(crate) cpu_nanos: f64,
    /// Time from the first events to the last, and to the commit of what they came to if there is one.
    #[serde(rename = "wall_nanos_per_event")]
    pub(crate) wall_nanos: f64,
    /// CPU time by thread, the largest first.
    #[serde(rename = "cpu_nanos_per_event_by_thread")]
    pub(crate) threads: Vec<(String, f64)>,
}

/// Starts a reader and waits until it has read `events` events.
pub(crate) fn measure<R: Reader>(
    events: u64,
    interrupt: &Interrupt,
    start: impl FnOnce() -> Result<R>,
) -> Result<Measured> {
    let mut watch = Watch {
        interrupt,
        read: 0,
        moved: Instant::now(),
    };
    let threads_before = threads_cpu_nanos();
    let cpu = process_cpu_nanos();
    let mut reader = start()?;
    while watch.look(&reader)? == 0 {}
    let (started, before) = (Instant::now(), watch.read);
    while watch.look(&reader)? < events {}
    while !reader.is_done() {
        watch.look(&reader)?;
    }
    let wall = started.elapsed().as_nanos() as f64;
    let threads = threads_cpu_nanos();
    reader.close()?;
    let cpu = process_cpu_nanos() - cpu;
    let mut threads: Vec<(String, f64)> = threads
        .into_iter()
        .map(|(id, (name, nanos))| {
            let before = threads_before.get(&id).map_or(0.0, |(_, nanos)| *nanos);
            (name, (nanos - before) / events as f64)
        })
        .filter(|(_, nanos)| *nanos >= THREAD_NANOS_MIN)
        .collect();
    threads.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(Measured {
        cpu_nanos: cpu / events as f64,
        wall_nanos: wall / (events - before.min(events - 1)) as f64,
        threads,
    })
}

struct Watch<'a> {
    interrupt: &'a Interrupt,
    read: u64,
    moved: Instant,
}

impl Watch<'_> {
    fn look<R: Reader>(&mut self, reader: &R) -> Result<u64> {
        std::thread::sleep(LOOK_EVERY);
        let read = reader.read();
        if read != self.read {
            (self.read, self.moved) = (read, Instant::now());
        }
        if self.interrupt.is_set() {
            bail!("interrupted");
        }
        if reader.failed() {
            bail!("the reader ended after {read} events");
        }
        if self.moved.elapsed() > PATIENCE {
            bail!(
                "nothing moved for {} s after {read} events",
                PATIENCE.as_secs()
            );
        }
        Ok(read)
    }
}
