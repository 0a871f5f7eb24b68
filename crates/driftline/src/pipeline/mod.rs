//! The running pipeline: worker threads that join Kafka with the engine.
//!
//! ```text
//!  predictions ──► observe workers ──► partials ──► evaluate workers ──► alerts, telemetry
//!  labels ───────► labels worker
//! ```

mod evaluate;
mod labels;
mod lag;
mod letters;
pub mod models;
mod observe;
mod schemas;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

use driftline_engine::{EvaluatorOptions, ModelSet, ObserverOptions, Output};
use driftline_event::{SourcePartition, Timestamp};
use driftline_kafka::{
    Delivery, KafkaError, KafkaOptions, Progress, RegistryClient, Stage, StartPolicy, TopicAdmin,
    Worker, WorkerOptions,
};
use driftline_telemetry::{Stage as StageLabel, Telemetry};
use driftline_wire::{Decoder, Format, LABEL_SCHEMA, LabelDecoder, PREDICTION_SCHEMA};

use crate::config::{Config, LateEvents, Stream, StreamFormat, StreamStart};
use crate::connect;
use crate::exit::Failure;
use evaluate::{EvaluateParts, EvaluateStage};
use labels::LabelStage;
use letters::Letters;
use observe::{ObserveParts, ObserveStage};
use schemas::Schemas;

/// How long the brokers may take to describe a topic.
const METADATA_TIMEOUT: Duration = Duration::from_secs(60);

/// What a process runs, and how.
#[derive(Clone, Debug)]
pub struct PipelineOptions {
    /// Whether this process observes.
    pub observe: bool,
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
    /// Both stages, transactional, idle after 30 s, evaluate commits at least every second.
    fn default() -> Self {
        Self {
            observe: true,
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
}

/// The end of the input, for demos and tests.
#[derive(Debug, Default)]
pub(crate) struct Finish {
    /// Whether no further event will ever come.
    wanted: AtomicBool,
    /// How many observe workers have said so in the partials topic.
    done: AtomicUsize,
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("workers", &self.workers.len())
            .finish_non_exhaustive()
    }
}

struct Starter<'a> {
    config: &'a Config,
    kafka: &'a KafkaOptions,
    models: &'a ModelSet,
    telemetry: &'a Telemetry,
    options: &'a PipelineOptions,
    pipeline: Pipeline,
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

    /// Says that no further prediction will come: once what is in the topic has been counted, all windows close.
    pub fn finish(&self) {
        self.finish.wanted.store(true, Ordering::Release);
    }

    /// Whether, after [`Pipeline::finish`], the evaluators have read all of `partials`. Without transactions
    /// only: the markers of those stand behind the last record.
    pub fn has_finished(&self, partials: &str) -> bool {
        let observers = self
            .workers
            .iter()
            .filter(|w| w.stage == StageLabel::Observe)
            .count();
        if self.finish.done.load(Ordering::Acquire) < observers {
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

/// The failure that a Kafka error is to the user.
pub fn kafka_failure(error: &KafkaError) -> Failure {
    match error {
        KafkaError::RefusedProperty { .. } => Failure::config(error),
        KafkaError::Stage(_) | KafkaError::Thread(_) => Failure::internal(error),
        _ => Failure::unavailable(error),
    }
}

impl Starter<'_> {
    fn start(&mut self) -> Result<(), Failure> {
        let partitions = self.partitions()?;
        if self.options.observe {
            for thread in 0..self.config.workers.observe {
                let stage = self.observe_stage(partitions)?;
                let stream = &self.config.predictions;
                let (topic, start) = (stream.topic.clone(), start_policy(stream.start));
                self.spawn(StageLabel::Observe, thread, topic, start, stage)?;
            }
            if let Some(labels) = &self.config.labels {
                let stage = self.label_stage(labels)?;
                let (topic, start) = (labels.topic.clone(), start_policy(labels.start));
                self.spawn(StageLabel::Labels, 0, topic, start, stage)?;
            }
        }
        if self.options.evaluate {
            for thread in 0..self.config.workers.evaluate {
                let stage = EvaluateStage::new(self.models.clone(), self.evaluate_parts());
                let topic = self.config.topics.partials.name.clone();
                self.spawn(
                    StageLabel::Evaluate,
                    thread,
                    topic,
                    StartPolicy::Earliest,
                    stage,
                )?;
            }
        }
        self.report();
        Ok(())
    }

    /// How many partitions the predictions' and the partials' topics have.
    fn partitions(&self) -> Result<(u32, u32), Failure> {
        let count = |topic: &str| {
            let found = self
                .pipeline
                .admin
                .partitions(topic, METADATA_TIMEOUT)
                .map_err(|e| kafka_failure(&e))?;
            found.and_then(|n| u32::try_from(n).ok()).ok_or_else(|| {
                let failure =
                    Failure::unavailable(format_args!("the topic `{topic}` does not exist"));
                failure.hint(
                    "`driftline topics --config FILE --create` creates Driftline's own topics",
                )
            })
        };
        let predictions = count(&self.config.predictions.topic)?;
        Ok((predictions, count(&self.config.topics.partials.name)?))
    }

    fn observe_stage(&self, (inputs, partials): (u32, u32)) -> Result<ObserveStage, Failure> {
        let Config {
            predictions,
            limits,
            topics,
            ..
        } = self.config;
        let decoder = Decoder::new(
            wire_format(predictions.format),
            predictions.mapping.clone(),
            Arc::clone(self.models.catalog()),
            limits.wire.clone(),
        );
        let mut decoder = decoder.map_err(Failure::config)?;
        let schemas = self.schemas(predictions, PREDICTION_SCHEMA)?;
        if let (StreamFormat::AvroPlain, Schemas::File(text)) = (predictions.format, &schemas) {
            decoder.set_schema(text).map_err(Failure::config)?;
        }
        let parts = ObserveParts {
            app: self.config.app.clone(),
            partials_topic: topics.partials.name.clone(),
            dead_letters_topic: topics.dead_letters.name.clone(),
            observer: observer_options(self.config, partials),
            decoder,
            schemas,
            flush_bytes: usize::try_from(self.config.flush.bytes).unwrap_or(usize::MAX),
            idle_after: self.options.idle_after,
            keep_late: self.config.late_events == LateEvents::DeadLetter,
            topic: (predictions.topic.clone(), inputs),
            finish: Arc::clone(&self.pipeline.finish),
            telemetry: self.telemetry.clone(),
        };
        Ok(ObserveStage::new(self.models.clone(), parts))
    }

    fn label_stage(
        &self,
        labels: &Stream<driftline_wire::LabelMapping>,
    ) -> Result<LabelStage, Failure> {
        let limits = self.config.limits.wire.clone();
        let decoder = LabelDecoder::new(wire_format(labels.format), labels.mapping.clone(), limits);
        let mut decoder = decoder.map_err(Failure::config)?;
        let schemas = self.schemas(labels, LABEL_SCHEMA)?;
        if let (StreamFormat::AvroPlain, Schemas::File(text)) = (labels.format, &schemas) {
            decoder.set_schema(text).map_err(Failure::config)?;
        }
        Ok(LabelStage::new(
            decoder,
            schemas,
            Letters::new(&self.config.app, &self.config.topics.dead_letters.name),
            self.config.models.iter().map(|m| m.id.clone()).collect(),
            usize::try_from(self.config.flush.bytes).unwrap_or(usize::MAX),
            self.telemetry.clone(),
        ))
    }

    fn evaluate_parts(&self) -> EvaluateParts {
        let evaluator = EvaluatorOptions {
            emit_panes: self.options.emit_panes,
            ..EvaluatorOptions::default()
        };
        EvaluateParts {
            app: self.config.app.clone(),
            alerts_topic: self.config.topics.alerts.name.clone(),
            evaluator,
            tap: self.options.tap.clone(),
            telemetry: self.telemetry.clone(),
        }
    }

    fn schemas<M>(&self, stream: &Stream<M>, canonical: &str) -> Result<Schemas, Failure> {
        if self.options.canonical_schemas {
            return Ok(Schemas::File(canonical.to_owned()));
        }
        match (
            &stream.schema_file,
            connect::registry_options(self.config)?,
            stream.format,
        ) {
            (Some(file), _, _) => Schemas::file(&self.config.directory.join(file)),
            (None, Some(options), StreamFormat::Avro) => {
                let client = RegistryClient::new(options).map_err(Failure::config)?;
                Ok(Schemas::Registry(Box::new(client)))
            }
            _ => Ok(Schemas::None),
        }
    }

    fn spawn<S: Stage + Send + 'static>(
        &mut self,
        label: StageLabel,
        thread: u16,
        topic: String,
        start: StartPolicy,
        stage: S,
    ) -> Result<(), Failure> {
        let Config {
            app,
            instance,
            topics,
            flush,
            ..
        } = self.config;
        let delivery = match self.options.transactional {
            true => Delivery::Transactional {
                id: format!("{app}.{}.{instance}.{thread}", label.as_str()),
            },
            false => Delivery::AtLeastOnce,
        };
        let (outputs, interval) = match label {
            StageLabel::Observe => (
                vec![
                    topics.partials.name.clone(),
                    topics.dead_letters.name.clone(),
                ],
                flush.interval,
            ),
            StageLabel::Labels | StageLabel::Join => {
                (vec![topics.dead_letters.name.clone()], flush.interval)
            }
            StageLabel::Evaluate => (
                vec![topics.alerts.name.clone()],
                self.options.evaluate_interval.min(flush.interval),
            ),
        };
        let group = format!("{app}-{}", label.as_str());
        let mut options = WorkerOptions::new(group, vec![topic], delivery);
        options.output_topics = outputs;
        options.start = start;
        options.flush_interval = interval;
        let stop = Arc::clone(&self.pipeline.stop);
        let worker = Worker::new(self.kafka.clone(), options, stage, stop);
        let progress = worker.progress();
        let name = format!("{}-{thread}", label.as_str());
        let run = move || worker.run().map(drop);
        let thread = std::thread::Builder::new().name(name.clone()).spawn(run)?;
        self.pipeline.workers.push(Running {
            name,
            stage: label,
            progress,
            thread,
        });
        Ok(())
    }

    /// Copies the workers' progress to the telemetry until the pipeline stops.
    fn report(&mut self) {
        let workers: Vec<(StageLabel, Arc<Progress>)> = self
            .pipeline
            .workers
            .iter()
            .map(|w| (w.stage, Arc::clone(&w.progress)))
            .collect();
        let reporter = lag::Reporter::new(self.kafka, self.telemetry.clone(), workers);
        let stop = Arc::clone(&self.pipeline.stop);
        let spawned = std::thread::Builder::new()
            .name("lag".to_owned())
            .spawn(move || reporter.run(&stop));
        self.pipeline.reporter = spawned.ok();
    }
}

/// The observer's bounds, from the configuration.
pub fn observer_options(config: &Config, partials_partitions: u32) -> ObserverOptions {
    let earliest: Timestamp = config.limits.earliest_time;
    ObserverOptions {
        partials_partitions,
        future_skew: config.limits.future_skew_max,
        earliest,
        batch_bytes_max: usize::try_from(config.limits.batch_bytes_max).unwrap_or(usize::MAX),
        ..ObserverOptions::default()
    }
}

fn start_policy(start: StreamStart) -> StartPolicy {
    match start {
        StreamStart::Earliest => StartPolicy::Earliest,
        StreamStart::Latest => StartPolicy::Latest,
    }
}

fn wire_format(format: StreamFormat) -> Format {
    match format {
        StreamFormat::Avro => Format::Avro,
        StreamFormat::AvroPlain => Format::AvroPlain,
        StreamFormat::Json => Format::Json,
    }
}
