//! A log with transactions, and the two stages around it.

use std::collections::BTreeMap;

use driftline_engine::{
    Evaluator, EvaluatorOptions, Observer, ObserverOptions, Output, SourceHandle, Violation,
};
use driftline_event::{DropReason, Row, SourcePartition, Timestamp};

use crate::{Event, Rng, Stream};

/// How a stream is read. None of it may matter to the outcome.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// What the interleaving, the flushes and the crashes follow from.
    pub seed: u64,
    /// How many observers share the partitions.
    pub observers: u32,
    /// Partitions of the partials topic.
    pub partials_partitions: u32,
    /// After how many records an observer flushes, on average.
    pub flush_every: u64,
    /// The probability that a flush does not commit and its observer is lost with all it holds.
    pub crash: f64,
    /// The size above which batches are split.
    pub batch_bytes_max: usize,
}

impl Default for Plan {
    /// One observer, one partials partition, flushes every 100 records, nothing crashes.
    fn default() -> Self {
        Self {
            seed: 0,
            observers: 1,
            partials_partitions: 1,
            flush_every: 100,
            crash: 0.0,
            batch_bytes_max: 900_000,
        }
    }
}

/// What came out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// Panes, reports and alerts in their order, by model.
    pub outputs: BTreeMap<String, Vec<Output>>,
    /// What should not have happened, and what came too late for the evaluator.
    pub irregular: Vec<Output>,
    /// Violations that observers noticed.
    pub violations: Vec<Violation>,
    /// Records received in committed flushes.
    pub received: u64,
    /// Records that counted.
    pub counted: u64,
    /// Records that did not, by reason.
    pub dropped: BTreeMap<DropReason, u64>,
    /// Observers that were lost.
    pub crashes: u64,
}

/// One observer with the partitions that it reads, by index into the stream's.
struct Worker {
    observer: Observer,
    handles: BTreeMap<usize, SourceHandle>,
    finished: bool,
}

/// What is committed: the positions, and the records of the partials topic.
#[derive(Default)]
struct Committed {
    positions: BTreeMap<SourcePartition, (i64, String)>,
    partials: Vec<Vec<Vec<u8>>>,
}

/// Reads the whole stream under `plan`.
///
/// # Panics
/// When the evaluator refuses a batch that an observer has made.
pub fn run(stream: &Stream, plan: Plan) -> Run {
    let mut rng = Rng::new(plan.seed);
    let mut run = Run::default();
    let mut committed = Committed {
        partials: vec![Vec::new(); plan.partials_partitions as usize],
        ..Committed::default()
    };
    let mut workers: Vec<Worker> = (0..plan.observers)
        .map(|w| worker(stream, plan, w, &committed))
        .collect();
    let mut row = Row::default();
    while workers.iter().any(|w| !w.finished) {
        let w = rng.below(u64::from(plan.observers)) as usize;
        let worker = &mut workers[w];
        let unread: Vec<usize> = worker
            .handles
            .iter()
            .filter(|(s, handle)| position(worker, **handle) < stream.sources[**s].1.len())
            .map(|(s, _)| *s)
            .collect();
        if unread.is_empty() {
            worker
                .handles
                .values()
                .for_each(|handle| worker.observer.finish(*handle));
        } else {
            let source = unread[rng.below(unread.len() as u64) as usize];
            read(stream, worker, source, &mut row);
        }
        if unread.is_empty() || rng.below(plan.flush_every) == 0 {
            if rng.chance(plan.crash) {
                run.crashes += 1;
                workers[w] = self::worker(stream, plan, w as u32, &committed);
                continue;
            }
            commit(worker, &mut committed, &mut run);
            worker.finished = unread.is_empty();
        }
    }
    evaluate(stream, &committed, &mut run);
    run
}

fn worker(stream: &Stream, plan: Plan, w: u32, committed: &Committed) -> Worker {
    let options = ObserverOptions {
        partials_partitions: plan.partials_partitions,
        batch_bytes_max: plan.batch_bytes_max,
        ..ObserverOptions::default()
    };
    let mut observer = Observer::new(&stream.models, options);
    observer.announce_topic("predictions", stream.sources.len() as u32);
    let mut handles = BTreeMap::new();
    for (i, (source, _)) in stream.sources.iter().enumerate() {
        if i as u32 % plan.observers == w {
            let at = committed.positions.get(source);
            let (position, metadata) = at.map_or((0, None), |(p, m)| (*p, Some(m.as_str())));
            handles.insert(i, observer.assign(source.clone(), position, metadata));
        }
    }
    Worker {
        observer,
        handles,
        finished: false,
    }
}

fn position(worker: &Worker, handle: SourceHandle) -> usize {
    let position = worker
        .observer
        .position(handle)
        .expect("the source is assigned");
    usize::try_from(position).expect("offsets begin at zero")
}

fn read(stream: &Stream, worker: &mut Worker, source: usize, row: &mut Row) {
    let handle = worker.handles[&source];
    let at = position(worker, handle);
    let offset = at as i64;
    let record = &stream.sources[source].1[at];
    match &record.event {
        Event::Sample(sample) => {
            sample.fill(row);
            let time: Option<Timestamp> = Some(record.time);
            // Why a row does not count is in the tallies.
            let _ = worker.observer.observe(handle, offset, time, row);
        }
        Event::Bad(reason) => worker.observer.skip(handle, offset, *reason),
        Event::Hole => worker.observer.advance(handle, offset + 1),
    }
}

fn commit(worker: &mut Worker, committed: &mut Committed, run: &mut Run) {
    let flush = worker.observer.flush();
    for (partition, batch) in flush.batches {
        committed.partials[partition as usize].push(batch);
    }
    for (source, position, metadata) in flush.positions {
        committed.positions.insert(source, (position, metadata));
    }
    for tally in flush.tallies {
        run.received += tally.received;
        run.counted += tally.counted;
        for (reason, n) in tally.dropped {
            *run.dropped.entry(reason).or_default() += n;
        }
    }
    run.violations.extend(flush.violations);
}

fn evaluate(stream: &Stream, committed: &Committed, run: &mut Run) {
    let options = EvaluatorOptions {
        emit_panes: true,
        ..EvaluatorOptions::default()
    };
    for partition in &committed.partials {
        let mut evaluator = Evaluator::new(&stream.models, options);
        let mut outputs = Vec::new();
        for batch in partition {
            evaluator
                .handle(batch, &mut outputs)
                .expect("the batch is an observer's own");
        }
        for output in outputs {
            let model = match &output {
                Output::Report(report) => &report.series.model,
                Output::Alert(alert) => &alert.series.model,
                Output::Performance(report) => &report.model,
                Output::Pane(pane) => &pane.model,
                Output::Judged(judged) => &judged.model,
                Output::Late(_) | Output::Violation(_) => {
                    run.irregular.push(output);
                    continue;
                }
            };
            run.outputs.entry(model.clone()).or_default().push(output);
        }
    }
}
