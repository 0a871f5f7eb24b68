//! Driftline's observe stage, set up as a user would: a configuration, references and a schema file.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, ensure};
use driftline::commands::topics as needed_topics;
use driftline::config::{self, Config};
use driftline::connect;
use driftline::pipeline::{Pipeline, PipelineOptions, models};
use driftline_bench::encoding::{Encoding, RECORD_MAPPING};
use driftline_bench::traffic::{Names, VERSION, reference};
use driftline_engine::ModelSet;
use driftline_kafka::{KafkaOptions, WorkerCounts};
use driftline_telemetry::{Stage, Stream, Telemetry, TelemetryOptions};

use crate::Arguments;
use crate::measure::Reader;
use crate::topic::Topics;

/// A directory that is removed when it is dropped.
pub(crate) struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        // It is in the system's place for temporary files, which somebody else cleans up as well.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Writes the references and the schema.
pub(crate) fn write_files(
    names: &Names,
    topics: &Topics,
    arguments: &Arguments,
) -> Result<Directory> {
    let directory = Directory(std::env::temp_dir().join(&topics.events));
    fs::create_dir_all(&directory.0)?;
    for (i, model) in names.models.iter().enumerate() {
        let profile = reference(names, i, arguments.seed);
        fs::write(directory.0.join(format!("{model}.json")), profile.to_json())?;
    }
    let schema = Encoding::AvroRecord.schema(names);
    fs::write(directory.0.join("record.avsc"), schema.unwrap_or_default())?;
    Ok(directory)
}

/// All that is read before the pipeline starts.
pub(crate) struct Setting {
    config: Config,
    kafka: KafkaOptions,
    models: ModelSet,
}

impl Setting {
    /// An application of its own for every run, and its topics.
    pub(crate) fn new(
        directory: &Directory,
        names: &Names,
        topics: &mut Topics,
        arguments: &Arguments,
        run: u64,
    ) -> Result<Self> {
        let text = yaml(names, topics, arguments, run);
        let (config, _) = config::parse(&text, "driftline.yaml", Path::new(&directory.0))
            .map_err(|problems| anyhow!("{problems}"))?;
        topics.add(&needed_topics::specs(&needed_topics::needed(&config)))?;
        Ok(Self {
            kafka: connect::kafka_options(&config)?,
            models: models::load(&config, models::Labelling::None)?,
            config,
        })
    }

    pub(crate) fn start(&self, events: u64) -> Result<Observed<'_>> {
        let telemetry = Telemetry::new(TelemetryOptions::default());
        models::register(&self.models, &telemetry);
        let options = PipelineOptions {
            evaluate: false,
            ..PipelineOptions::default()
        };
        let Self {
            config,
            kafka,
            models,
        } = self;
        let pipeline = Pipeline::start(config, kafka, models, &telemetry, &options)?;
        Ok(Observed {
            setting: self,
            pipeline,
            telemetry,
            events,
            commits: None,
        })
    }
}

fn yaml(names: &Names, topics: &Topics, arguments: &Arguments, run: u64) -> String {
    let (topic, brokers) = (&topics.events, &arguments.brokers);
    let mapping = RECORD_MAPPING.replace('\n', " ");
    let mut text = format!(
        "app: {topic}-{run}\n\
         kafka: {{brokers: \"{brokers}\"}}\n\
         streams:\n  \
           predictions:\n    \
             topic: {topic}\n    \
             schema_file: record.avsc\n    \
             start: earliest\n    \
             mapping: {mapping}\n\
         models:\n"
    );
    for model in &names.models {
        // A String takes everything.
        let _ = writeln!(
            text,
            "  - {{id: {model}, versions: [{{version: \"{VERSION}\", reference: {model}.json}}]}}"
        );
    }
    text
}

/// The stage while it runs.
pub(crate) struct Observed<'a> {
    setting: &'a Setting,
    pipeline: Pipeline,
    telemetry: Telemetry,
    events: u64,
    /// How many transactions had been committed when the last event had been read.
    commits: Option<u64>,
}

impl Observed<'_> {
    fn counts(&self) -> impl Iterator<Item = WorkerCounts> {
        self.pipeline.progress(Stage::Observe).map(|p| p.counts())
    }
}

impl Reader for Observed<'_> {
    fn read(&self) -> u64 {
        self.counts().map(|counts| counts.messages).sum()
    }

    /// There is one worker, and it flushes what it has read: a commit after the last event has all of them.
    fn is_done(&mut self) -> bool {
        let now = self.counts().map(|counts| counts.commits).sum();
        match self.commits {
            Some(before) => now > before,
            None => {
                self.commits = Some(now);
                self.pipeline.finish();
                false
            }
        }
    }

    fn failed(&self) -> bool {
        self.pipeline.has_failed()
    }

    fn close(mut self) -> Result<()> {
        self.pipeline.stop()?;
        let models = self.setting.models.specs().iter();
        let counted: u64 = models
            .map(|spec| {
                self.telemetry
                    .events(Stream::Prediction, &spec.model)
                    .value()
            })
            .sum();
        ensure!(
            counted == self.events,
            "{counted} of {} events were counted",
            self.events
        );
        Ok(())
    }
}
