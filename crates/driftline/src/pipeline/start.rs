//! Starts the workers of a pipeline.

use std::sync::Arc;

use driftline_engine::{
    EvaluatorOptions, JoinerOptions, LabelForwarderOptions, ModelSet, ObserverOptions,
};
use driftline_event::Timestamp;
use driftline_kafka::{
    Delivery, KafkaOptions, Progress, RegistryClient, Stage, StartPolicy, Worker, WorkerOptions,
};
use driftline_telemetry::{Stage as StageLabel, Telemetry};
use driftline_wire::{Decoder, Format, LABEL_SCHEMA, LabelDecoder, PREDICTION_SCHEMA};

use super::evaluate::{EvaluateParts, EvaluateStage};
use super::join::{JoinParts, JoinStage};
use super::labels::{self, LabelParts, LabelStage};
use super::letters::Letters;
use super::observe::{ObserveParts, ObserveStage};
use super::schemas::Schemas;
use super::{METADATA_TIMEOUT, Pipeline, PipelineOptions, Running, kafka_failure, lag};
use crate::config::{Config, LateEvents, Stream, StreamFormat, StreamStart};
use crate::connect;
use crate::exit::Failure;

/// How many partitions each topic has.
#[derive(Clone, Copy)]
struct Partitions {
    predictions: u32,
    labels: u32,
    partials: u32,
    /// 0 where no labels are joined.
    outcomes: u32,
}

pub(super) struct Starter<'a> {
    pub(super) config: &'a Config,
    pub(super) kafka: &'a KafkaOptions,
    pub(super) models: &'a ModelSet,
    pub(super) telemetry: &'a Telemetry,
    pub(super) options: &'a PipelineOptions,
    pub(super) pipeline: Pipeline,
}

impl Starter<'_> {
    pub(super) fn start(&mut self) -> Result<(), Failure> {
        let partitions = self.partitions()?;
        if self.options.observe {
            for thread in 0..self.config.workers.observe {
                let stage = self.observe_stage(partitions)?;
                let stream = &self.config.predictions;
                let (topic, start) = (stream.topic.clone(), start_policy(stream.start));
                self.spawn(StageLabel::Observe, thread, topic, start, stage)?;
            }
            if let Some(labels) = &self.config.labels {
                let stage = self.label_stage(labels, partitions)?;
                let (topic, start) = (labels.topic.clone(), start_policy(labels.start));
                self.spawn(StageLabel::Labels, 0, topic, start, stage)?;
            }
        }
        if self.options.join && partitions.outcomes > 0 {
            self.pipeline.outcomes_partitions = partitions.outcomes;
            for thread in 0..self.config.workers.join {
                let parts = self.join_parts(partitions, thread)?;
                let stage = JoinStage::new(self.models.clone(), parts);
                let topic = self.config.topics.outcomes.name.clone();
                let start = StartPolicy::Earliest;
                self.spawn(StageLabel::Join, thread, topic, start, stage)?;
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

    fn partitions(&self) -> Result<Partitions, Failure> {
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
        let topics = &self.config.topics;
        let (labels, outcomes) = match &self.config.labels {
            None => (0, 0),
            Some(labels) if labels::joins(self.models) => {
                (count(&labels.topic)?, count(&topics.outcomes.name)?)
            }
            Some(labels) => {
                let why = "no reference says what labels mean, so they are only counted";
                tracing::warn!(topic = labels.topic, "{why}");
                (count(&labels.topic)?, 0)
            }
        };
        Ok(Partitions {
            predictions: count(&self.config.predictions.topic)?,
            labels,
            partials: count(&topics.partials.name)?,
            outcomes,
        })
    }

    fn observe_stage(&self, partitions: Partitions) -> Result<ObserveStage, Failure> {
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
            outcomes_topic: topics.outcomes.name.clone(),
            dead_letters_topic: topics.dead_letters.name.clone(),
            observer: ObserverOptions {
                outcomes_partitions: partitions.outcomes.max(1),
                ..observer_options(self.config, partitions.partials)
            },
            decoder,
            schemas,
            flush_bytes: usize::try_from(self.config.flush.bytes).unwrap_or(usize::MAX),
            idle_after: self.options.idle_after,
            keep_late: self.config.late_events == LateEvents::DeadLetter,
            topic: (predictions.topic.clone(), partitions.predictions),
            finish: Arc::clone(&self.pipeline.finish),
            telemetry: self.telemetry.clone(),
        };
        Ok(ObserveStage::new(self.models.clone(), parts))
    }

    fn label_stage(
        &self,
        labels: &Stream<driftline_wire::LabelMapping>,
        partitions: Partitions,
    ) -> Result<LabelStage, Failure> {
        let limits = self.config.limits.wire.clone();
        let decoder = LabelDecoder::new(wire_format(labels.format), labels.mapping.clone(), limits);
        let mut decoder = decoder.map_err(Failure::config)?;
        let schemas = self.schemas(labels, LABEL_SCHEMA)?;
        if let (StreamFormat::AvroPlain, Schemas::File(text)) = (labels.format, &schemas) {
            decoder.set_schema(text).map_err(Failure::config)?;
        }
        let topics = &self.config.topics;
        Ok(LabelStage::new(LabelParts {
            decoder,
            schemas,
            letters: Letters::new(&self.config.app, &topics.dead_letters.name),
            models: self.models.clone(),
            outcomes_topic: topics.outcomes.name.clone(),
            forwarder: label_options(self.config, partitions.outcomes.max(1)),
            flush_bytes: usize::try_from(self.config.flush.bytes).unwrap_or(usize::MAX),
            idle_after: self.options.idle_after,
            topic: (labels.topic.clone(), partitions.labels),
            finish: Arc::clone(&self.pipeline.finish),
            telemetry: self.telemetry.clone(),
        }))
    }

    fn join_parts(&self, partitions: Partitions, thread: u16) -> Result<JoinParts, Failure> {
        let Config { join, .. } = self.config;
        let directory = join.directory.as_ref().map(|directory| {
            let own = self.worker_id(StageLabel::Join, thread);
            self.config.directory.join(directory).join(own)
        });
        if let Some(directory) = &directory {
            // What a killed process left there is of no use.
            match std::fs::remove_dir_all(directory) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    let message = format!("cannot empty {}: {error}", directory.display());
                    let hint = "`join: {directory: …}` names a directory that it may write to";
                    return Err(Failure::config(message).hint(hint));
                }
                _ => {}
            }
        }
        Ok(JoinParts {
            partials_topic: self.config.topics.partials.name.clone(),
            joiner: JoinerOptions {
                outcomes_partitions: partitions.outcomes,
                ..joiner_options(self.config, partitions.partials)
            },
            directory,
            flush_bytes: usize::try_from(self.config.flush.bytes).unwrap_or(usize::MAX),
            finish: Arc::clone(&self.pipeline.finish),
            telemetry: self.telemetry.clone(),
        })
    }

    /// What no other live worker is called.
    fn worker_id(&self, stage: StageLabel, thread: u16) -> String {
        let Config { app, instance, .. } = self.config;
        format!("{app}.{}.{instance}.{thread}", stage.as_str())
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
            app, topics, flush, ..
        } = self.config;
        let delivery = match self.options.transactional {
            true => Delivery::Transactional {
                id: self.worker_id(label, thread),
            },
            false => Delivery::AtLeastOnce,
        };
        let mut outputs = match label {
            StageLabel::Observe => vec![&topics.partials, &topics.outcomes, &topics.dead_letters],
            StageLabel::Labels => vec![&topics.outcomes, &topics.dead_letters],
            StageLabel::Join => vec![&topics.partials],
            StageLabel::Evaluate => vec![&topics.alerts],
        };
        if self.config.labels.is_none() || !labels::joins(self.models) {
            outputs.retain(|topic| topic.name != topics.outcomes.name);
        }
        let interval = match label {
            StageLabel::Observe | StageLabel::Labels => flush.interval,
            StageLabel::Join | StageLabel::Evaluate => {
                self.options.evaluate_interval.min(flush.interval)
            }
        };
        let group = format!("{app}-{}", label.as_str());
        let mut options = WorkerOptions::new(group, vec![topic], delivery);
        options.output_topics = outputs.iter().map(|topic| topic.name.clone()).collect();
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

/// The bounds of what forwards labels, from the configuration.
pub fn label_options(config: &Config, outcomes_partitions: u32) -> LabelForwarderOptions {
    let observer = observer_options(config, 1);
    LabelForwarderOptions {
        outcomes_partitions,
        watermark_rank: observer.watermark_rank,
        future_skew: observer.future_skew,
        earliest: observer.earliest,
        latest: observer.latest,
        batch_bytes_max: observer.batch_bytes_max,
    }
}

/// The joiner's bounds, from the configuration.
pub fn joiner_options(config: &Config, partials_partitions: u32) -> JoinerOptions {
    JoinerOptions {
        partials_partitions,
        bytes_max: usize::try_from(config.join.memory).unwrap_or(usize::MAX),
        batch_bytes_max: usize::try_from(config.limits.batch_bytes_max).unwrap_or(usize::MAX),
        ..JoinerOptions::default()
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
