//! `driftline demo`: a real model drifts, with nothing but this binary.

mod traffic;
mod view;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use driftline_engine::{ModelSet, Output};
use driftline_event::Timestamp;
use driftline_http::{HttpOptions, Readiness, Server};
use driftline_kafka::{
    EmbeddedBroker, KafkaOptions, Producer, RegistryClient, RegistryOptions, TopicAdmin, TopicSpec,
};
use driftline_sketch::ProfileOptions;
use driftline_telemetry::{Stream, Telemetry, TelemetryOptions};
use serde_json::json;

use self::traffic::{Sent, TrafficOptions};
use self::view::View;
use super::reference;
use super::run::Interrupt;
use crate::calibration::CalibrationFile;
use crate::cli::{DemoArgs, FailOn, KindOptions, LabelOptions, OutputFormat};
use crate::config::{self, Config};
use crate::data::{FLIGHTS_LABELS, FLIGHTS_PREDICTIONS};
use crate::exit::{Exit, Failure};
use crate::files::{Input, Table, TableFilter};
use crate::pipeline::{Pipeline, PipelineOptions, kafka_failure, models};
use crate::summary::{Summary, concept_table};
use crate::terminal;

const MODEL: &str = "flights-delay";
const VERSION: &str = "1";
const FEATURES: [&str; 11] = [
    "sched_hour",
    "distance",
    "temp",
    "humid",
    "wind_speed",
    "precip",
    "pressure",
    "visib",
    "carrier",
    "origin",
    "dest",
];
const CONFIG: &str = include_str!("demo.yaml");
/// What `driftline calibrate` makes of the training months with [`CONFIG`].
const CALIBRATION: &str = include_str!("calibration.yaml");
/// The window whose states the view and the summary show.
const WINDOW: &str = "28d";
/// The window of predictions whose performance the summary shows.
const MONTH: &str = "month";
/// Days of event time a second: the eleven months take about a minute.
const SPEED: f64 = 500_000.0;
const INPUT_PARTITIONS: i32 = 4;
/// How long a step of the demo may take before something is wrong.
const PATIENCE: Duration = Duration::from_secs(120);
const NAP: Duration = Duration::from_millis(20);

/// The day from which the model serves: one more month like its training data, then ten that are not.
fn serving_starts() -> Timestamp {
    Timestamp::from_seconds(1_359_676_800)
}

/// The day on which its training data end.
fn training_ends() -> Timestamp {
    Timestamp::from_seconds(1_362_096_000)
}

/// Runs the command.
///
/// # Errors
/// When a port is taken, or a part of the pipeline fails.
pub fn run(args: &DemoArgs) -> Result<Exit, Failure> {
    let interrupt = Interrupt::listen()?;
    if let Some(brokers) = &args.brokers {
        return send_only(args, brokers, &interrupt);
    }
    let mut demo = Demo::start(args)?;
    let outcome = demo.watch(args, &interrupt);
    let stopped = demo.pipeline.stop();
    demo.take_outputs();
    outcome.and(stopped)?;
    demo.print(args)?;
    let drifted = demo.summary.alerts() > 0 && args.fail_on == Some(FailOn::Drift);
    Ok(if drifted { Exit::Drift } else { Exit::Fine })
}

/// The demo's configuration, and its model with the reference from the training months.
fn models() -> Result<(Config, ModelSet), Failure> {
    let (config, _) =
        config::parse(CONFIG, "demo.yaml", Path::new("")).map_err(|p| config::failure(&p))?;
    let model = &config.models[0];
    let filter = TableFilter {
        until: Some(training_ends()),
        kinds: KindOptions {
            categorical: vec!["pred".to_owned()],
            numeric: Vec::new(),
        },
        ..TableFilter::default()
    };
    let input = Input::Bytes {
        name: "predictions.parquet",
        bytes: FLIGHTS_PREDICTIONS,
    };
    let table = Table::read(&input, &filter)?;
    let profile = reference::profile(&table, MODEL, VERSION, ProfileOptions::default())?;
    let labels = Input::Bytes {
        name: "labels.parquet",
        bytes: FLIGHTS_LABELS,
    };
    let options = LabelOptions::default();
    let (profile, _) = reference::labels::with_labels(
        profile,
        &table,
        (&input, &filter),
        Some(&labels),
        &options,
    )?;
    let calibration = CalibrationFile::from_yaml(CALIBRATION)
        .and_then(|file| file.calibration(MODEL, VERSION, &profile))
        .map_err(|problem| Failure::internal(format_args!("the demo's calibration: {problem}")))?;
    let spec = models::spec(
        &config,
        model,
        &model.versions[0],
        Arc::new(profile),
        Some(Arc::new(calibration)),
    );
    let set = ModelSet::new(vec![spec]).map_err(|e| Failure::internal(e.to_string()))?;
    Ok((config, set))
}

struct Demo {
    models: ModelSet,
    telemetry: Telemetry,
    pipeline: Pipeline,
    outputs: Receiver<Output>,
    summary: Summary,
    view: View,
    sent: Arc<Sent>,
    stop: Arc<AtomicBool>,
    traffic: Option<JoinHandle<Result<(), Failure>>>,
    server: Option<Server>,
    kafka: KafkaOptions,
    partials: (String, i32),
    started: Instant,
    first_alert: Option<Duration>,
    // Dropped last: the clients above hang on to it.
    _broker: EmbeddedBroker,
}

impl Demo {
    fn start(args: &DemoArgs) -> Result<Self, Failure> {
        let started = Instant::now();
        let (config, models) = models()?;
        let telemetry = Telemetry::new(TelemetryOptions::default());
        models::register(&models, &telemetry);
        let readiness = Readiness::new("the demo is starting");
        let mut http = HttpOptions::default();
        http.bind.set_port(args.port);
        let server = driftline_http::serve(http, telemetry.clone(), readiness.clone())
            .map_err(|e| Failure::unavailable(e).hint("`--port 0` picks a free port"))?;
        let broker = EmbeddedBroker::start().map_err(|e| kafka_failure(&e))?;
        let topics = &config.topics;
        let labels = config
            .labels
            .as_ref()
            .map_or("flights.labels", |l| l.topic.as_str());
        let partials = (
            topics.partials.name.clone(),
            topics.partials.partitions as i32,
        );
        for (name, partitions) in [
            (config.predictions.topic.as_str(), INPUT_PARTITIONS),
            (labels, INPUT_PARTITIONS),
            (&topics.outcomes.name, topics.outcomes.partitions as i32),
            (&topics.alerts.name, 1),
            (&topics.dead_letters.name, 1),
            (&partials.0, partials.1),
        ] {
            broker
                .create_topic(name, partitions)
                .map_err(|e| kafka_failure(&e))?;
        }
        let kafka = KafkaOptions::new(broker.bootstrap(), "driftline-demo");
        let (tap, outputs) = mpsc::channel();
        let options = PipelineOptions {
            transactional: false,
            canonical_schemas: true,
            evaluate_interval: Duration::from_millis(250),
            tap: Some(tap),
            ..PipelineOptions::default()
        };
        let pipeline = Pipeline::start(&config, &kafka, &models, &telemetry, &options)?;
        readiness.ready();
        let mut demo = Self {
            models,
            telemetry,
            pipeline,
            outputs,
            summary: Summary::default(),
            view: View::new(WINDOW),
            sent: Arc::default(),
            stop: Arc::default(),
            traffic: None,
            server: Some(server),
            kafka,
            partials,
            started,
            first_alert: None,
            _broker: broker,
        };
        demo.traffic = Some(demo.send(&config, args.speed.unwrap_or(SPEED))?);
        Ok(demo)
    }

    /// Starts the thread that plays the serving service.
    fn send(
        &self,
        config: &Config,
        speed: f64,
    ) -> Result<JoinHandle<Result<(), Failure>>, Failure> {
        let producer = Producer::new(&self.kafka).map_err(|e| kafka_failure(&e))?;
        let options = TrafficOptions {
            predictions_topic: config.predictions.topic.clone(),
            labels_topic: config
                .labels
                .as_ref()
                .map_or_else(String::new, |l| l.topic.clone()),
            schema_ids: (1, 2),
            since: serving_starts(),
            speed,
        };
        let (sent, stop) = (Arc::clone(&self.sent), Arc::clone(&self.stop));
        let taken = self.taken(Stream::Prediction);
        let send = move || traffic::send(&producer, &options, &sent, taken, &stop);
        Ok(thread::Builder::new()
            .name("traffic".to_owned())
            .spawn(send)?)
    }

    /// How many events of a stream the pipeline has counted or refused.
    fn taken(&self, stream: Stream) -> impl Fn() -> u64 + Send + use<> {
        let counted = self.telemetry.events(stream, MODEL);
        let rejects = self.telemetry.rejects(stream);
        move || {
            let refused = driftline_event::DropReason::ALL
                .iter()
                .map(|r| rejects.value(*r));
            counted.value() + refused.sum::<u64>()
        }
    }

    fn address(&self) -> String {
        self.server
            .as_ref()
            .map_or_else(String::new, |s| format!("http://{}/", s.local_addr()))
    }

    /// Shows what happens until the data end, or until interrupted when they are to be looked at.
    fn watch(&mut self, args: &DemoArgs, interrupt: &Interrupt) -> Result<(), Failure> {
        self.view.announce(&self.address());
        while self.traffic.as_ref().is_some_and(|t| !t.is_finished()) {
            self.step()?;
            if interrupt.is_set() {
                self.stop.store(true, Ordering::Release);
            }
        }
        if let Some(traffic) = self.traffic.take() {
            traffic
                .join()
                .map_err(|_| Failure::internal("the traffic thread panicked"))??;
        }
        if interrupt.is_set() {
            return Ok(());
        }
        self.drain()?;
        if !args.once {
            while !interrupt.is_set() {
                self.step()?;
            }
        }
        Ok(())
    }

    /// Waits until everything that was sent has been counted and every window has closed.
    fn drain(&mut self) -> Result<(), Failure> {
        let taken = self.taken(Stream::Prediction);
        let sent = self.sent.predictions.load(Ordering::Relaxed);
        self.wait("counting the predictions", |_| taken() >= sent)?;
        let taken = self.taken(Stream::Label);
        let sent = self.sent.labels.load(Ordering::Relaxed);
        self.wait("taking in the labels", |_| taken() >= sent)?;
        self.pipeline.finish();
        self.wait("closing the windows", |demo| {
            demo.pipeline.has_finished(&demo.partials.0)
        })
    }

    fn wait(&mut self, what: &str, is_done: impl Fn(&Self) -> bool) -> Result<(), Failure> {
        let deadline = Instant::now() + PATIENCE;
        while !is_done(self) {
            if Instant::now() > deadline {
                return Err(Failure::internal(format_args!(
                    "{what} took longer than {} s",
                    PATIENCE.as_secs()
                )));
            }
            self.step()?;
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), Failure> {
        if self.pipeline.has_failed() {
            return Err(self
                .pipeline
                .stop()
                .err()
                .unwrap_or_else(|| Failure::internal("a worker ended")));
        }
        self.take_outputs();
        let address = self.address();
        self.view.draw(&self.telemetry, &self.sent, &address)?;
        thread::sleep(NAP);
        Ok(())
    }

    fn take_outputs(&mut self) {
        while let Ok(output) = self.outputs.try_recv() {
            self.summary.take(&output);
            if let Output::Alert(alert) = &output {
                self.first_alert
                    .get_or_insert_with(|| self.started.elapsed());
                self.view.alert(alert);
            }
        }
    }

    fn print(&self, args: &DemoArgs) -> Result<(), Failure> {
        let sent = self.sent.predictions.load(Ordering::Relaxed);
        let counted = self.telemetry.events(Stream::Prediction, MODEL).value();
        let labels = self.telemetry.events(Stream::Label, MODEL).value();
        let rows: Vec<_> = self
            .summary
            .rows()
            .into_iter()
            .filter(|row| row.window == WINDOW)
            .collect();
        if args.format == OutputFormat::Json {
            return terminal::print_json(&json!({
                "model": MODEL, "model_version": VERSION, "window": WINDOW,
                "predictions": {"sent": sent, "counted": counted}, "labels": labels,
                "alerts": self.summary.alerts(),
                "performance": self.summary.performance().into_iter()
                    .filter(|row| row.window == MONTH).collect::<Vec<_>>(),
                "concept_alerts": self.summary.concept_alerts(),
                "first_alert_seconds": self.first_alert.map(|after| after.as_secs_f64()),
                "series": rows,
            }));
        }
        let only = self.summary.only(WINDOW);
        terminal::print(&only.table(|series| super::replay::reference_mean(&self.models, series)))?;
        if let Some(table) = self.summary.performance_table(MONTH) {
            terminal::print(&format!("\n{table}"))?;
        }
        if let Some(table) = concept_table(self.summary.concept_alerts()) {
            terminal::print(&format!("\n{table}"))?;
        }
        let first = self.first_alert.map_or_else(String::new, |after| {
            format!(", the first {:.1} s after the start", after.as_secs_f64())
        });
        terminal::print(&format!(
            "\n{counted} of {sent} predictions counted, {labels} labels, {} alerts{first}.\n\
             Windows of {WINDOW}, compared with January and February; alarms on a budget of one false one a month.\n",
            self.summary.alerts()
        ))
    }
}

/// Makes the demo's input topics on a real cluster, sends the traffic to them, and does nothing else.
fn send_only(args: &DemoArgs, brokers: &str, interrupt: &Interrupt) -> Result<Exit, Failure> {
    let (config, _) =
        config::parse(CONFIG, "demo.yaml", Path::new("")).map_err(|p| config::failure(&p))?;
    let labels_topic = config
        .labels
        .as_ref()
        .map_or_else(String::new, |l| l.topic.clone());
    let predictions_topic = config.predictions.topic.clone();
    let kafka = KafkaOptions::new(brokers, "driftline-demo");
    let topic = |name: &String| TopicSpec {
        name: name.clone(),
        partitions: Some(INPUT_PARTITIONS),
        ..TopicSpec::default()
    };
    TopicAdmin::new(&kafka)
        .and_then(|admin| admin.ensure(&[topic(&predictions_topic), topic(&labels_topic)]))
        .map_err(|e| kafka_failure(&e))?;
    let schema_ids = match &args.registry {
        None => (1, 2),
        Some(url) => register(url, &predictions_topic, &labels_topic)?,
    };
    let options = TrafficOptions {
        predictions_topic,
        labels_topic,
        schema_ids,
        since: serving_starts(),
        speed: args.speed.unwrap_or(SPEED),
    };
    let producer = Producer::new(&kafka).map_err(|e| kafka_failure(&e))?;
    let sent = Arc::new(Sent::default());
    // Nobody here knows what a cluster has taken; it keeps what it is given.
    let everything = || u64::MAX;
    traffic::send(&producer, &options, &sent, everything, interrupt.flag())?;
    let (predictions, labels) = (
        sent.predictions.load(Ordering::Relaxed),
        sent.labels.load(Ordering::Relaxed),
    );
    terminal::print(&format!(
        "{predictions} predictions and {labels} labels sent to {brokers}\n"
    ))?;
    Ok(Exit::Fine)
}

/// Registers the schemas of both topics and gives their ids.
fn register(url: &str, predictions: &str, labels: &str) -> Result<(u32, u32), Failure> {
    let registry = RegistryClient::new(RegistryOptions::new(url)).map_err(Failure::config)?;
    let id = |topic: &str, schema: &str| {
        registry
            .register(&format!("{topic}-value"), schema)
            .map_err(Failure::unavailable)
    };
    Ok((
        id(predictions, driftline_wire::PREDICTION_SCHEMA)?,
        id(labels, driftline_wire::LABEL_SCHEMA)?,
    ))
}
