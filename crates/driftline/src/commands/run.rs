//! `driftline run`: monitors the models of a configuration.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use driftline_http::{HttpOptions, Readiness};
use driftline_telemetry::{Telemetry, TelemetryOptions};

use crate::cli::{RunArgs, StageName};
use crate::config;
use crate::connect;
use crate::exit::{Exit, Failure};
use crate::pipeline::{Pipeline, PipelineOptions, models};

/// How soon a signal or a failed worker is noticed.
const NAP: Duration = Duration::from_millis(100);

/// SIGINT and SIGTERM as a flag.
#[derive(Clone, Debug)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on. The second signal ends the process at once.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn listen() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let flag = Arc::new(AtomicBool::new(false));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (mut interrupt, mut terminate) = {
            let _inside = runtime.enter();
            (
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
            )
        };
        let set = Arc::clone(&flag);
        let listen = move || {
            runtime.block_on(async move {
                loop {
                    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
                    if set.swap(true, Ordering::AcqRel) {
                        std::process::exit(130);
                    }
                }
            });
        };
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(listen)?;
        Ok(Self(flag))
    }

    /// Whether a signal came.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// The flag itself.
    pub fn flag(&self) -> &AtomicBool {
        &self.0
    }
}

/// Runs the command.
///
/// # Errors
/// When the configuration cannot be used, the brokers cannot be reached, or a worker fails for good.
pub fn run(args: &RunArgs) -> Result<Exit, Failure> {
    let interrupt = Interrupt::listen()?;
    let (config, warnings) = config::load(&args.config)?;
    if warnings.warnings() > 0 {
        tracing::warn!("{warnings}");
    }
    let models = models::load(&config, models::Labelling::of(&config))?;
    let kafka = connect::kafka_options(&config)?;
    let telemetry = Telemetry::new(TelemetryOptions {
        series_per_model_max: config.limits.series_per_model_max as usize,
        series_max: config.limits.series_max as usize,
        ..TelemetryOptions::default()
    });
    models::register(&models, &telemetry);
    let readiness = Readiness::new("connecting to the brokers");
    let http = HttpOptions {
        bind: config.http.bind,
        ..HttpOptions::default()
    };
    let server =
        driftline_http::serve(http, telemetry.clone(), readiness.clone()).map_err(|e| {
            Failure::unavailable(e)
                .hint("`http: {bind: …}` in the configuration chooses another address")
        })?;
    let address = server.local_addr();
    let options = PipelineOptions {
        observe: args.stages.contains(&StageName::Observe),
        join: args.stages.contains(&StageName::Join),
        evaluate: args.stages.contains(&StageName::Evaluate),
        ..PipelineOptions::default()
    };
    let mut pipeline = Pipeline::start(&config, &kafka, &models, &telemetry, &options)?;
    readiness.ready();
    tracing::info!(app = config.app, %address, models = models.specs().len(), "running");
    while !interrupt.is_set() && !pipeline.has_failed() {
        thread::sleep(NAP);
    }
    readiness.not_ready("stopping");
    tracing::info!("stopping");
    let stopped = pipeline.stop();
    server.shutdown();
    stopped.map(|()| Exit::Fine)
}
