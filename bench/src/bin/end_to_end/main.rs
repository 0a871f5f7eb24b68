//! What Driftline's observe stage costs per event, beside a bare consumer of the same topic in the same run.
//!
//! ```text
//! cargo xtask bench end-to-end
//! ```
//!
//! Events of 20 numbers, 5 texts and a score are produced to a fresh topic as typed Avro records. Then two
//! readers take turns, each in a group of its own and from the oldest record:
//!
//! - **bare**: a `BaseConsumer` of rdkafka with the settings of Driftline's own consumer, which drops the bytes;
//! - **driftline**: the observe stage as `driftline run` starts it: decode, count, flush to the partials topic
//!   and commit in transactions.
//!
//! CPU time is that of the whole process, user and system, all threads of librdkafka included, from before the
//! reader's first client is made until its last is closed. Wall time starts for both when the first messages
//! have been handed over, so that joining a group does not count, and ends for the bare consumer with the last
//! message, for Driftline when the transaction with the last message's count is committed. The ratios are
//! those of neighbours, so that a slow minute of the machine hits both.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool: results on stdout, progress on stderr"
)]

mod bare;
mod measure;
mod observed;
mod topic;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use driftline::commands::run::Interrupt;
use driftline_bench::figures::{Machine, Spread, thousands};
use driftline_bench::traffic::{Names, VALUES};
use driftline_kafka::KafkaOptions;
use serde::Serialize;

use bare::Bare;
use measure::{Measured, measure};
use observed::Setting;
use topic::Topics;

/// As in the `driftline` binary; it serves both readers.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The observe stage beside a bare consumer of the same topic: CPU and wall time per event.
#[derive(Debug, Parser)]
struct Arguments {
    /// Brokers to ask first: host:port, with commas between them
    #[arg(long, env = "DRIFTLINE_KAFKA")]
    brokers: String,
    /// Events to produce
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    events: u64,
    /// How often each reader reads them
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    pairs: u64,
    /// Partitions of the topic
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=256))]
    partitions: u32,
    /// How many models the events are of
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    models: u64,
    /// Events in a second of event time: how many panes the counts fall into
    #[arg(long, default_value_t = 10_000.0)]
    events_per_second: f64,
    /// Where the events come from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Say after each run which threads used the CPU
    #[arg(long)]
    threads: bool,
    /// How to print the figures
    #[arg(long, value_enum, default_value_t = OutputFormat::Table)]
    format: OutputFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OutputFormat {
    Table,
    Json,
}

#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    seed: u64,
    events: u64,
    bytes_per_event: u64,
    partitions: u32,
    models: u64,
    bare: Vec<Measured>,
    driftline: Vec<Measured>,
    /// Driftline's over the bare consumer's, of each pair.
    cpu_ratio: Spread,
    wall_ratio: Spread,
}

/// What is printed as it happens, unless JSON is wanted.
struct Printer {
    threads: bool,
    is_table: bool,
}

impl Printer {
    fn head(&self, machine: &Machine, arguments: &Arguments, bytes: u64) {
        if !self.is_table {
            return;
        }
        println!("{machine}");
        println!(
            "{} Avro records of {VALUES} values and {bytes} bytes, {} partitions, {} models\n",
            thousands(arguments.events),
            arguments.partitions,
            arguments.models,
        );
        println!(
            "{:<12} {:>12} {:>14} {:>12}",
            "reader", "CPU ns/event", "wall ns/event", "events/s"
        );
    }

    fn run(&self, name: &str, measured: &Measured) {
        if !self.is_table {
            eprintln!("{name}: {:.0} ns of CPU per event", measured.cpu_nanos);
            return;
        }
        println!(
            "{name:<12} {:>12.0} {:>14.0} {:>12}",
            measured.cpu_nanos,
            measured.wall_nanos,
            thousands((1e9 / measured.wall_nanos) as u64),
        );
        if self.threads {
            for (thread, nanos) in &measured.threads {
                println!("  {thread:<20} {nanos:>6.0} ns of CPU per event");
            }
        }
    }

    fn foot(&self, report: &Report) -> Result<()> {
        if !self.is_table {
            println!("{}", serde_json::to_string_pretty(report)?);
            return Ok(());
        }
        let (cpu, wall) = (report.cpu_ratio, report.wall_ratio);
        println!(
            "\ndriftline ÷ bare, median of {} pairs: CPU × {:.2} ({:.2} to {:.2}), wall × {:.2} ({:.2} to {:.2})",
            report.bare.len(),
            cpu.median,
            cpu.min,
            cpu.max,
            wall.median,
            wall.min,
            wall.max,
        );
        Ok(())
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let printer = Printer {
        threads: arguments.threads,
        is_table: arguments.format == OutputFormat::Table,
    };
    let interrupt = Interrupt::listen()?;
    let machine = Machine::here();
    let names = Names::new(arguments.models as usize);
    let kafka = KafkaOptions::new(arguments.brokers.clone(), "driftline-bench");
    let mut topics = Topics::create(&kafka, arguments.partitions)?;
    let bytes_per_event = topic::fill(&kafka, &topics, &names, arguments, &interrupt)?;
    let directory = observed::write_files(&names, &topics, arguments)?;
    printer.head(&machine, arguments, bytes_per_event);

    let events = arguments.events;
    let bare = |topic: &str, run: u64| {
        let group = format!("{topic}-bare-{run}");
        measure(events, &interrupt, || Bare::start(&kafka, topic, &group))
    };
    // The first one is for the broker to warm up.
    printer.run("(warm-up)", &bare(&topics.events, 0)?);
    let (mut bares, mut driftlines) = (Vec::new(), Vec::new());
    for run in 1..=arguments.pairs {
        let measured = bare(&topics.events, run)?;
        printer.run("bare", &measured);
        bares.push(measured);
        let setting = Setting::new(&directory, &names, &mut topics, arguments, run)?;
        let measured = measure(events, &interrupt, || setting.start(events))?;
        printer.run("driftline", &measured);
        driftlines.push(measured);
    }
    let ratio = |of: fn(&Measured) -> f64| {
        let pairs = driftlines.iter().zip(&bares);
        Spread::of(&pairs.map(|(d, b)| of(d) / of(b)).collect::<Vec<_>>())
    };
    printer.foot(&Report {
        machine,
        seed: arguments.seed,
        events,
        bytes_per_event,
        partitions: arguments.partitions,
        models: arguments.models,
        cpu_ratio: ratio(|m| m.cpu_nanos),
        wall_ratio: ratio(|m| m.wall_nanos),
        bare: bares,
        driftline: driftlines,
    })
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
