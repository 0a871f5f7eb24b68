//! The running pipeline: worker threads that join Kafka with the engine.
//!
//! ```text
//!  predictions ──► observe workers ──► partials ──► evaluate workers ──► alerts, telemetry
//!                        └──► outcomes ──► join workers ──┘
//!  labels ───────► labels worker ──┘
//! ```

mod evaluate;
mod inputs;
mod join;
pub(crate) mod labels;
mod lag;
mod letters;
pub mod models;
mod observe;
mod schemas;
mod start;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use driftline_engine::{ModelSet, Output};
use driftline_event::SourcePartition;
use driftline_kafka::{KafkaError, KafkaOptions, Progress, TopicAdmin};
use driftline_telemetry::{Stage as StageLabel, Telemetry};

use crate::config::Config;
use crate::exit::Failure;
use start::Starter;
pub use start::{joiner_options, label_options, observer_options};

/// How long the brokers may take to describe a topic.
const METADATA_TIMEOUT: Duration = Duration::from_secs(60);

/// What a process runs, and how.
#[derive(Clone, Debug)]
pub struct PipelineOptions {
    /// Whether this process observes.
    pub observe: bool,
    /// Whether this process joins labels with predictions.
    pub join: bool,
    /// Whether this process evaluates.
    pub evaluate: bool,
    /// Whether output and offsets go through transactions. The embedded broker has none to speak of.
    pub transactional: bool,
    /// How long an input partition has nothing to read before no window waits for it.
    pub idle_after: Duration,
    /// The longest time between evaluate's commits.
    pub evaluate_interval: Duration,
    /// Whether the streams are in Driftline's own schemas, whatever the configuration says.
    pub canonical_schemas: bool,
    /// Whether closed panes are put out to the tap.
    pub emit_panes: bool,
    /// Gets every new output of the evaluators once it is committed.
    pub tap: Option<Sender<Output>>,
}

impl Default for PipelineOptions {
    /// All stages, transactional, idle after 30 s, evaluate commits at least every second.
    fn default() -> Self {
        Self {
            observe: true,
            join: true,
            evaluate: true,
            transactional: true,
            idle_after: Duration::from_secs(30),
            evaluate_interval: Duration::from_secs(1),
            canonical_schemas: false,
            emit_panes: false,
            tap: None,
        }
    }
}

/// A worker that runs.
struct Running {
    name: String,
    stage: StageLabel,
    progress: Arc<Progress>,
    thread: JoinHandle<Result<(), KafkaError>>,
}

/// The workers of this process.
pub struct Pipeline {
    workers: Vec<Running>,
    stop: Arc<AtomicBool>,
    finish: Arc<Finish>,
    admin: TopicAdmin,
    reporter: Option<JoinHandle<()>>,
    /// How many partitions of outcomes are joined here; 0 without a join.
    outcomes_partitions: u32,
}

/// The end of the input, for demos and tests.
#[derive(Debug, Default)]
pub(crate) struct Finish {
    /// Whether no further prediction will ever come.
    wanted: AtomicBool,
    /// The same of labels.
    labels_wanted: AtomicBool,
    /// How many observe workers have said so in the partials topic.
    done: AtomicUsize,
    /// The outcomes partitions whose end the join has said in the partials topic.
    joined: Mutex<BTreeSet<SourcePartition>>,
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("workers", &self.workers.len())
            .finish_non_exhaustive()
    }
}

impl Pipeline {
    /// Starts the workers. The topics must exist.
    ///
    /// # Errors
    /// When the brokers cannot be reached, a topic is missing, or a stream cannot be read as configured.
    pub fn start(
        config: &Config,
        kafka: &KafkaOptions,
        models: &ModelSet,
        telemetry: &Telemetry,
        options: &PipelineOptions,
    ) -> Result<Self, Failure> {
        let pipeline = Self {
            workers: Vec::new(),
            stop: Arc::default(),
            finish: Arc::default(),
            admin: TopicAdmin::new(kafka).map_err(|e| kafka_failure(&e))?,
            reporter: None,
            outcomes_partitions: 0,
        };
        let mut starter = Starter {
            config,
            kafka,
            models,
            telemetry,
            options,
            pipeline,
        };
        match starter.start() {
            Ok(()) => Ok(starter.pipeline),
            Err(failure) => {
                let _ = starter.pipeline.stop();
                Err(failure)
            }
        }
    }

    /// Says that neither predictions nor labels will come any more: once what is in the topics has been counted, all
    /// windows close.
    pub fn finish(&self) {
        self.finish.wanted.store(true, Ordering::Release);
        self.finish.labels_wanted.store(true, Ordering::Release);
    }

    /// Whether, after [`Pipeline::finish`], the evaluators have read all of `partials`. Without transactions
    /// only: the markers of those stand behind the last record.
    pub fn has_finished(&self, partials: &str) -> bool {
        let observers = self
            .workers
            .iter()
            .filter(|w| w.stage == StageLabel::Observe)
            .count();
        let joined = || lock(&self.finish.joined).len() as u64;
        if self.finish.done.load(Ordering::Acquire) < observers
            || joined() < u64::from(self.outcomes_partitions)
        {
            return false;
        }
        let count = self
            .admin
            .partitions(partials, METADATA_TIMEOUT)
            .ok()
            .flatten()
            .unwrap_or(0);
        let read = self
            .progress(StageLabel::Evaluate)
            .flat_map(Progress::partitions)
            .collect::<Vec<_>>();
        (0..count).all(|partition| {
            let source = SourcePartition {
                topic: partials.to_owned(),
                partition,
            };
            let end = self.admin.log_end(&source, METADATA_TIMEOUT);
            let position = read
                .iter()
                .find(|(p, _)| *p == source)
                .map(|(_, at)| at.position);
            end.is_ok_and(|end| end == 0 || position.is_some_and(|position| position >= end))
        })
    }

    /// The progress of every worker of `stage`.
    pub fn progress(&self, stage: StageLabel) -> impl Iterator<Item = &Progress> {
        self.workers
            .iter()
            .filter(move |w| w.stage == stage)
            .map(|w| w.progress.as_ref())
    }

    /// Whether a worker has ended although nobody stopped it.
    pub fn has_failed(&self) -> bool {
        self.workers.iter().any(|w| w.thread.is_finished())
    }

    /// Stops all workers: each flushes, commits and leaves its group.
    ///
    /// # Errors
    /// The first worker's failure, if any failed.
    pub fn stop(&mut self) -> Result<(), Failure> {
        self.stop.store(true, Ordering::Release);
        let mut first = Ok(());
        for worker in self.workers.drain(..) {
            let result = worker.thread.join().unwrap_or_else(|_| {
                let panicked = "the thread panicked: please report this defect";
                Err(KafkaError::Stage(panicked.into()))
            });
            if let Err(error) = result {
                tracing::error!(worker = worker.name, %error, "a worker failed");
                first = first.and(Err(kafka_failure(&error)));
            }
        }
        if let Some(reporter) = self.reporter.take() {
            // It only sleeps and copies numbers; it ends by itself once `stop` is set.
            let _ = reporter.join();
        }
        first
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The failure that a Kafka error is to the user.
pub fn kafka_failure(error: &KafkaError) -> Failure {
    match error {
        KafkaError::RefusedProperty { .. } => Failure::config(error),
        KafkaError::Stage(_) | KafkaError::Thread(_) => Failure::internal(error),
        _ => Failure::unavailable(error),
    }
}
