//! What it costs to join predictions with their labels: events per second of CPU time of one thread, and the memory of
//! what is pending.
//!
//! ```text
//! cargo xtask bench join
//! ```
//!
//! Observer and label forwarder make the records of one outcomes partition beforehand, from a seed: a day of predictions
//! of two classes in twenty segments, seven in ten of which get a label, half of them within four hours. Then joiners read
//! them: one with all in memory, one with a quarter of the memory that this took, so that the rest goes to disk.
#![allow(clippy::print_stdout, reason = "a command line tool")]

mod page;
mod traffic;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use driftline_bench::clock::process_cpu_nanos;
use driftline_bench::figures::Spread;
use driftline_engine::{Joiner, JoinerOptions, ModelSet, PendingStore};
use driftline_event::SourcePartition;
use driftline_store::{DiskStore, DiskStoreOptions};

use traffic::Traffic;

/// As in the `driftline` binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The join: events per second of CPU time, and bytes per pending prediction.
#[derive(Debug, Parser)]
struct Arguments {
    /// Predictions
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    predictions: u64,
    /// Rounds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Records between two flushes of a joiner
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    flush_every: u64,
    /// Where the events come from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where what does not fit in memory goes
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    spill: PathBuf,
    /// A page whose table is written anew
    #[arg(long)]
    write: Option<PathBuf>,
}

/// One way to run the join, over all rounds.
#[derive(Debug)]
struct Measured {
    /// Predictions and labels.
    events: u64,
    joined: u64,
    nanos_per_event: Spread,
    /// Buckets that were on disk in the end.
    stored_buckets: usize,
    /// Bytes that were on disk in the end.
    disk_bytes: u64,
}

#[derive(Debug)]
struct Report {
    arguments: Arguments,
    bytes_per_pending: f64,
    in_memory: Measured,
    spilling: Measured,
    /// What a joiner that spills may take.
    budget: usize,
}

fn options(bytes_max: usize) -> JoinerOptions {
    JoinerOptions {
        bytes_max,
        ..JoinerOptions::default()
    }
}

fn joiner(
    models: &ModelSet,
    bytes_max: usize,
    store: Option<Box<dyn PendingStore>>,
) -> Result<Joiner> {
    let mut joiner = Joiner::new(models, options(bytes_max), store)?;
    let source = SourcePartition {
        topic: "outcomes".to_owned(),
        partition: 0,
    };
    joiner.assign(source, 0, None);
    Ok(joiner)
}

/// The memory of a table of nothing but predictions that wait, and how many they are.
fn pending(traffic: &Traffic) -> Result<(usize, u64)> {
    let mut joiner = joiner(&traffic.models, usize::MAX, None)?;
    for (offset, record) in (0..).zip(&traffic.predictions_only) {
        joiner.handle(offset, record)?;
    }
    let bytes = joiner.pending_bytes();
    Ok((bytes, joiner.flush().tally.pending_predictions))
}

fn measure(
    traffic: &Traffic,
    arguments: &Arguments,
    bytes_max: usize,
    spill: bool,
) -> Result<Measured> {
    let (mut nanos, mut joined, mut stored_buckets, mut disk_bytes) = (Vec::new(), 0, 0, 0);
    for _ in 0..arguments.rounds {
        let directory = arguments
            .spill
            .join(format!("driftline-join-{}", std::process::id()));
        let store = if spill {
            let store = DiskStore::open(&directory, DiskStoreOptions::default())?;
            Some(Box::new(store) as Box<dyn PendingStore>)
        } else {
            None
        };
        let mut joiner = joiner(&traffic.models, bytes_max, store)?;
        joined = 0;
        let started = process_cpu_nanos();
        for (offset, record) in (0..).zip(&traffic.records) {
            joiner.handle(offset, record)?;
            if (offset as u64).is_multiple_of(arguments.flush_every) {
                joined += joiner.flush().tally.joined;
            }
        }
        let last = joiner.flush();
        nanos.push((process_cpu_nanos() - started) / traffic.events as f64);
        joined += last.tally.joined;
        stored_buckets = last.tally.stored_buckets;
        disk_bytes = if spill { size_of(&directory)? } else { 0 };
        drop(joiner);
        if spill {
            std::fs::remove_dir_all(&directory)
                .with_context(|| format!("cannot remove {}", directory.display()))?;
        }
    }
    Ok(Measured {
        events: traffic.events,
        joined,
        nanos_per_event: Spread::of(&nanos),
        stored_buckets,
        disk_bytes,
    })
}

fn size_of(path: &std::path::Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let data = entry.metadata()?;
        bytes += if data.is_dir() {
            size_of(&entry.path())?
        } else {
            data.len()
        };
    }
    Ok(bytes)
}

fn run(arguments: Arguments) -> Result<()> {
    let traffic = Traffic::new(arguments.seed, arguments.predictions)?;
    let (bytes, count) = pending(&traffic)?;
    let in_memory = measure(&traffic, &arguments, usize::MAX, false)?;
    let budget = bytes / 4;
    let spilling = measure(&traffic, &arguments, budget, true)?;
    let report = Report {
        bytes_per_pending: bytes as f64 / count as f64,
        in_memory,
        spilling,
        budget,
        arguments,
    };
    let table = page::table(&report);
    println!("{table}");
    if let Some(path) = &report.arguments.write {
        page::write(path, &table)?;
    }
    Ok(())
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
