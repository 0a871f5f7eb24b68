//! What it costs to decode an event of 20 numbers, 5 texts and a score and to count it, in nanoseconds of
//! CPU time of one thread.
//!
//! ```text
//! cargo xtask bench hot-path
//! ```
//!
//! The messages are made beforehand from a seed and lie in memory; from there everything is the product's
//! own: the decoder fills a row, the observer counts it, and every so many events a flush makes the batches
//! for the partials topic. All cases run once in each round, so that a slow minute of the machine hits all.
#![allow(clippy::print_stdout, reason = "a command line tool")]

use std::hint::black_box;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use clap::{Parser, ValueEnum};
use driftline_bench::clock::thread_cpu_nanos;
use driftline_bench::encoding::{Encoding, SCHEMA_ID};
use driftline_bench::figures::{Machine, Spread, thousands};
use driftline_bench::traffic::{Event, Names, Traffic, VALUES, VERSION, reference};
use driftline_engine::{ModelSet, ModelSpec, Observer, ObserverOptions, SourceHandle};
use driftline_event::{Row, SourcePartition};
use driftline_wire::{Decoder, Limits};
use serde::Serialize;

/// As in the `driftline` binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Event time in a second: the messages of one pass stay within a pane or two.
const EVENTS_PER_SECOND: f64 = 10_000.0;

/// Decode and update: nanoseconds of CPU time per event and per value.
#[derive(Debug, Parser)]
struct Arguments {
    /// Events of each case in each round
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    events: u64,
    /// Rounds
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Different messages of each case
    #[arg(long, default_value_t = 4_096, value_parser = clap::value_parser!(u64).range(1..))]
    messages: u64,
    /// Events between two flushes
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    flush_every: u64,
    /// How many models the events are of
    #[arg(long, value_delimiter = ',', default_value = "1,64")]
    models: Vec<usize>,
    /// Where the events come from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How to print the figures
    #[arg(long, value_enum, default_value_t = OutputFormat::Table)]
    format: OutputFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OutputFormat {
    Table,
    Json,
}

/// One encoding with so many models.
struct Case {
    encoding: Encoding,
    models: usize,
    messages: Vec<Vec<u8>>,
    decoder: Decoder,
    observer: Observer,
    source: SourceHandle,
    row: Row,
    /// The offset of the next message.
    offset: i64,
    /// Flushed so far.
    counted: u64,
    decode_nanos: Vec<f64>,
    whole_nanos: Vec<f64>,
}

#[derive(Debug, Serialize)]
struct Figures {
    encoding: &'static str,
    models: usize,
    bytes_per_event: usize,
    /// Decoding alone.
    decode_nanos_per_event: Spread,
    /// Decoding, counting and flushing.
    nanos_per_event: Spread,
    nanos_per_value: Spread,
}

#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    seed: u64,
    rounds: u64,
    events_per_round: u64,
    events_per_flush: u64,
    values_per_event: usize,
    cases: Vec<Figures>,
}

impl Case {
    fn new(encoding: Encoding, models: usize, arguments: &Arguments) -> Result<Self> {
        let names = Names::new(models);
        let specs =
            names.models.iter().enumerate().map(|(i, name)| {
                ModelSpec::new(reference(&names, i, arguments.seed), name, VERSION)
            });
        let set = ModelSet::new(specs.collect()).map_err(|errors| anyhow!("{errors}"))?;
        let mut decoder = Decoder::new(
            encoding.format(),
            encoding.mapping(),
            set.catalog().clone(),
            Limits::default(),
        )?;
        if let Some(schema) = encoding.schema(&names) {
            decoder.add_schema(SCHEMA_ID, &schema)?;
        }
        let mut observer = Observer::new(&set, ObserverOptions::default());
        let source = SourcePartition {
            topic: "predictions".to_owned(),
            partition: 0,
        };
        let source = observer.assign(source, 0, None);
        let mut traffic = Traffic::new(arguments.seed, models, EVENTS_PER_SECOND);
        let mut event = Event::default();
        let messages = (0..arguments.messages).map(|_| {
            let mut bytes = Vec::new();
            traffic.next_into(&mut event);
            encoding.encode(&names, &event, &mut bytes);
            bytes
        });
        Ok(Self {
            encoding,
            models,
            messages: messages.collect(),
            decoder,
            observer,
            source,
            row: Row::default(),
            offset: 0,
            counted: 0,
            decode_nanos: Vec::new(),
            whole_nanos: Vec::new(),
        })
    }

    fn round(&mut self, events: u64, flush_every: u64) -> Result<()> {
        let start = thread_cpu_nanos();
        for message in self.messages.iter().cycle().take(events as usize) {
            decode(&mut self.decoder, message, &mut self.row)?;
            black_box(&self.row);
        }
        let middle = thread_cpu_nanos();
        let mut until_flush = flush_every;
        for message in self.messages.iter().cycle().take(events as usize) {
            decode(&mut self.decoder, message, &mut self.row)?;
            self.observer
                .observe(self.source, self.offset, None, &self.row)
                .map_err(|reason| anyhow!("an event was dropped: {reason:?}"))?;
            self.offset += 1;
            until_flush -= 1;
            if until_flush == 0 {
                self.counted += flush(&mut self.observer);
                until_flush = flush_every;
            }
        }
        if until_flush < flush_every {
            self.counted += flush(&mut self.observer);
        }
        let end = thread_cpu_nanos();
        self.decode_nanos.push((middle - start) / events as f64);
        self.whole_nanos.push((end - middle) / events as f64);
        Ok(())
    }

    /// Checks that every event was counted.
    fn figures(&self) -> Result<Figures> {
        let (read, counted) = (self.offset as u64, self.counted);
        anyhow::ensure!(read == counted, "{counted} of {read} events were counted");
        let bytes: usize = self.messages.iter().map(Vec::len).sum();
        let per_value: Vec<f64> = self.whole_nanos.iter().map(|n| n / VALUES as f64).collect();
        Ok(Figures {
            encoding: self.encoding.name(),
            models: self.models,
            bytes_per_event: bytes / self.messages.len(),
            decode_nanos_per_event: Spread::of(&self.decode_nanos),
            nanos_per_event: Spread::of(&self.whole_nanos),
            nanos_per_value: Spread::of(&per_value),
        })
    }
}

/// How many events the flush tells of.
fn flush(observer: &mut Observer) -> u64 {
    let flush = black_box(observer.flush());
    flush.models.iter().map(|tally| tally.counted).sum()
}

fn decode(decoder: &mut Decoder, message: &[u8], row: &mut Row) -> Result<()> {
    decoder
        .decode_prediction(Some(black_box(message)), [], None, row)
        .map_err(|reject| anyhow!("a message was rejected: {reject:?}"))
}

fn run(arguments: &Arguments) -> Result<Report> {
    let machine = Machine::here();
    let mut cases = Vec::new();
    for encoding in Encoding::ALL {
        for &models in &arguments.models {
            anyhow::ensure!(models > 0, "--models: at least one");
            cases.push(Case::new(encoding, models, arguments).context(encoding.name())?);
        }
    }
    for _ in 0..arguments.rounds {
        for case in &mut cases {
            case.round(arguments.events, arguments.flush_every)
                .context(case.encoding.name())?;
        }
    }
    Ok(Report {
        machine,
        seed: arguments.seed,
        rounds: arguments.rounds,
        events_per_round: arguments.events,
        events_per_flush: arguments.flush_every,
        values_per_event: VALUES,
        cases: cases.iter().map(Case::figures).collect::<Result<_>>()?,
    })
}

fn print_table(report: &Report) {
    println!("{}", report.machine);
    println!(
        "{} events of {} values in each of {} rounds, a flush every {}; ns of CPU time, least (median)\n",
        thousands(report.events_per_round),
        report.values_per_event,
        report.rounds,
        thousands(report.events_per_flush),
    );
    println!(
        "{:<12} {:>6} {:>11}  {:>13}  {:>18}  {:>13}  {:>10}",
        "encoding",
        "models",
        "bytes/event",
        "decode alone",
        "decode and update",
        "per value",
        "events/s"
    );
    for case in &report.cases {
        let pair = |spread: Spread| format!("{:.0} ({:.0})", spread.min, spread.median);
        let per_value = case.nanos_per_value;
        println!(
            "{:<12} {:>6} {:>11}  {:>13}  {:>18}  {:>13}  {:>10}",
            case.encoding,
            case.models,
            case.bytes_per_event,
            pair(case.decode_nanos_per_event),
            pair(case.nanos_per_event),
            format!("{:.1} ({:.1})", per_value.min, per_value.median),
            thousands((1e9 / case.nanos_per_event.median) as u64),
        );
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let printed = run(&arguments).and_then(|report| {
        match arguments.format {
            OutputFormat::Table => print_table(&report),
            OutputFormat::Json => println!("{}", serde_json::to_string_pretty(&report)?),
        }
        Ok(())
    });
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
