//! `driftline replay`: the same engine on files, without Kafka.

mod labels;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use driftline_engine::{
    BatchError, Evaluator, EvaluatorOptions, ModelSet, Observer, Output, SourceHandle,
};
use driftline_event::{DropReason, Row, SourcePartition};
use driftline_sketch::ColumnProfile;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::cli::{FailOn, ReplayArgs};
use crate::config::{self, Config};
use crate::exit::{Exit, Failure};
use crate::files::{Input, LabelFile, PredictionDefaults, PredictionFile, Step};
use crate::pipeline::models::{self, Labelling};
use crate::pipeline::{self, joiner_options, observer_options};
use crate::summary::{ConceptAlert, PerformanceSummary, SeriesSummary, Summary, concept_table};
use crate::terminal;
pub use labels::LabelOptions;
use labels::Labels;

/// How many rows are counted before their deltas are handed on. It has no influence on the result.
const FLUSH_ROWS: u64 = 50_000;

/// Runs the command.
///
/// # Errors
/// When the configuration, a reference or a file cannot be used, or the results cannot be written.
pub fn run(args: &ReplayArgs) -> Result<Exit, Failure> {
    let (config, warnings) = config::load(&args.config)?;
    if warnings.warnings() > 0 {
        tracing::warn!("{warnings}");
    }
    let labelling = match args.labels.as_slice() {
        [] => Labelling::None,
        _ => Labelling::Joined,
    };
    let models = models::load(&config, labelling)?;
    let topic = config.predictions.topic.clone();
    let mut replay = Replay::new(
        &models,
        observer_options(&config, 1),
        EvaluatorOptions::default(),
        &topic,
    );
    if labelling == Labelling::Joined {
        let column = args.label_column.as_deref();
        let options = label_options((&args.labels, column), &config, &models)?;
        replay.join(&models, options)?;
    }
    let mut files = Files::create(&args.out)?;
    let defaults = PredictionDefaults {
        model: args.model.clone(),
        version: args.model_version.clone(),
    };
    let progress = progress_bar();
    for path in &args.predictions {
        let input = Input::from(path.as_path());
        let catalog = models.catalog().clone();
        let mut file = PredictionFile::open(&input, &args.columns, catalog, defaults.clone())?;
        for absent in file.absent_columns() {
            tracing::warn!(
                file = input.name(),
                column = absent,
                "no such column: all its values count as missing"
            );
        }
        replay.file(&mut file, &mut |output| files.write(output), &progress)?;
    }
    replay.finish(&mut |output| files.write(output))?;
    progress.finish_and_clear();
    let exit = match (args.fail_on, files.summary.alerts()) {
        (Some(FailOn::Drift), 1..) => Exit::Drift,
        _ => Exit::Fine,
    };
    let (summary, counts) = files.close(replay.counts)?;
    terminal::print(&summary.table(|series| reference_mean(&models, series)))?;
    let tables = [
        summary.longest_performance_table(),
        concept_table(summary.concept_alerts()),
    ];
    for table in tables.into_iter().flatten() {
        terminal::print(&format!("\n{table}"))?;
    }
    terminal::print(&format!(
        "\n{} predictions counted, {} dropped, {} alerts. Details: {}\n",
        counts.counted,
        counts.dropped.iter().map(|(_, n)| n).sum::<u64>(),
        summary.alerts(),
        args.out.display()
    ))?;
    Ok(exit)
}

/// The label files, opened, and how they are joined. `column` has the labels, if it is not the usual one.
///
/// # Errors
/// When no model can be given labels, or a file cannot be used.
pub fn label_options(
    (files, column): (&[PathBuf], Option<&str>),
    config: &Config,
    models: &ModelSet,
) -> Result<LabelOptions, Failure> {
    if models.specs().iter().all(|spec| spec.labels.is_none()) {
        let message = "no model of the configuration can be given labels";
        let hint = "build the reference with labels: `driftline reference build --labels FILE`";
        return Err(Failure::config(message).hint(hint));
    }
    let open = |path: &PathBuf| {
        let file = LabelFile::open(&Input::from(path.as_path()), column)?;
        if !file.has_times() {
            let message = format!("{}: no column says when a label came", path.display());
            let hint = "name it observed_at or label_ts";
            return Err(Failure::bad_data(message).hint(hint));
        }
        Ok(file)
    };
    let files: Result<Vec<LabelFile>, Failure> = files.iter().map(open).collect();
    Ok(LabelOptions {
        files: files?,
        forwarder: pipeline::label_options(config, 1),
        joiner: joiner_options(config, 1),
    })
}

/// The mean of a numeric column's reference.
pub fn reference_mean(models: &ModelSet, series: &driftline_event::SeriesKey) -> Option<f64> {
    let (_, spec) = models.find(&series.model, &series.version)?;
    match &spec.profile.column(series.role, &series.feature)?.profile {
        ColumnProfile::Numeric(profile) => profile.mean(profile.reference()),
        ColumnProfile::Categorical(_) | ColumnProfile::Embedding(_) => None,
    }
}

fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::no_length();
    if let Ok(style) =
        ProgressStyle::with_template("{spinner} {human_pos} predictions, {per_sec}, {elapsed}")
    {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// What became of the records.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Counts {
    /// Records that count.
    pub counted: u64,
    /// Records that do not, by reason.
    pub dropped: Vec<(DropReason, u64)>,
}

impl Counts {
    fn drop_one(&mut self, reason: DropReason) {
        match self.dropped.iter_mut().find(|(r, _)| *r == reason) {
            Some((_, n)) => *n += 1,
            None => self.dropped.push((reason, 1)),
        }
    }
}

/// What takes the outputs of a replay.
pub type Sink<'a> = dyn FnMut(Output) -> Result<(), Failure> + 'a;

/// Observer and evaluator, one behind the other.
#[derive(Debug)]
pub struct Replay {
    observer: Observer,
    evaluator: Evaluator,
    source: SourceHandle,
    offset: i64,
    outputs: Vec<Output>,
    labels: Option<Labels>,
    /// What became of the records so far.
    pub counts: Counts,
}

impl Replay {
    /// A replay that reads its rows as if from partition 0 of `topic`.
    pub fn new(
        models: &ModelSet,
        observer: driftline_engine::ObserverOptions,
        evaluator: EvaluatorOptions,
        topic: &str,
    ) -> Self {
        let mut observer = Observer::new(models, observer);
        let partition = SourcePartition {
            topic: topic.to_owned(),
            partition: 0,
        };
        let source = observer.assign(partition, 0, None);
        Self {
            observer,
            evaluator: Evaluator::new(models, evaluator),
            source,
            offset: 0,
            outputs: Vec::new(),
            labels: None,
            counts: Counts::default(),
        }
    }

    /// Has labels read beside the predictions and joined with them.
    ///
    /// # Errors
    /// When a file of labels breaks off.
    pub fn join(&mut self, models: &ModelSet, options: LabelOptions) -> Result<(), Failure> {
        self.labels = Some(Labels::new(models, options)?);
        Ok(())
    }

    /// What became of the labels; none without any.
    pub fn label_counts(&self) -> Option<&Counts> {
        self.labels.as_ref().map(|labels| &labels.counts)
    }

    /// Counts every row of a file.
    ///
    /// # Errors
    /// When the file breaks off, or `sink` fails.
    pub fn file(
        &mut self,
        file: &mut PredictionFile,
        sink: &mut Sink<'_>,
        progress: &ProgressBar,
    ) -> Result<(), Failure> {
        let mut row = Row::default();
        while let Some(step) = file.next(&mut row)? {
            match step {
                Step::Row => {
                    if let Some(labels) = &mut self.labels {
                        labels.up_to(row.time())?;
                        if labels.is_due(row.time()) {
                            self.flush(sink)?;
                        }
                    }
                    self.row(&row);
                }
                Step::Dropped(reason, detail) => {
                    tracing::debug!(%reason, detail, "record dropped");
                    self.observer.skip(self.source, self.offset, reason);
                    self.offset += 1;
                    self.counts.drop_one(reason);
                }
            }
            if (self.offset as u64).is_multiple_of(FLUSH_ROWS) {
                progress.set_position(self.offset as u64);
                self.flush(sink)?;
            }
        }
        progress.set_position(self.offset as u64);
        Ok(())
    }

    /// Counts one row.
    pub fn row(&mut self, row: &Row) {
        match self.observer.observe(self.source, self.offset, None, row) {
            Ok(()) => self.counts.counted += 1,
            Err(reason) => self.counts.drop_one(reason),
        }
        self.offset += 1;
    }

    /// Closes every window.
    ///
    /// # Errors
    /// When `sink` fails.
    pub fn finish(&mut self, sink: &mut Sink<'_>) -> Result<(), Failure> {
        self.observer.finish(self.source);
        if let Some(labels) = &mut self.labels {
            labels.finish()?;
        }
        self.flush(sink)
    }

    fn flush(&mut self, sink: &mut Sink<'_>) -> Result<(), Failure> {
        let flush = self.observer.flush();
        for violation in flush.violations {
            sink(Output::Violation(violation))?;
        }
        for (_, batch) in flush.batches {
            self.evaluator
                .handle(&batch, &mut self.outputs)
                .map_err(own_batch)?;
            self.outputs.drain(..).try_for_each(&mut *sink)?;
        }
        if let Some(labels) = &mut self.labels {
            labels.flush(flush.outcomes, &mut self.evaluator, &mut self.outputs)?;
            self.outputs.drain(..).try_for_each(sink)?;
        }
        Ok(())
    }
}

fn own_batch(error: BatchError) -> Failure {
    Failure::internal(format_args!("a batch of our own cannot be read: {error}"))
}

/// The files of a replay's directory.
struct Files {
    reports: BufWriter<File>,
    performance: BufWriter<File>,
    alerts: BufWriter<File>,
    retrain_requests: BufWriter<File>,
    directory: std::path::PathBuf,
    summary: Summary,
    violations: Vec<String>,
}

#[derive(Serialize)]
struct SummaryFile<'a> {
    counts: &'a Counts,
    alerts: u64,
    violations: &'a [String],
    series: Vec<SeriesSummary>,
    /// Every window of predictions, as its last revision had it.
    performance: Vec<PerformanceSummary>,
    concept_alerts: &'a [ConceptAlert],
}

impl Files {
    fn create(directory: &Path) -> Result<Self, Failure> {
        let in_directory = |e: std::io::Error| {
            Failure::internal(format_args!("cannot write to {}: {e}", directory.display()))
        };
        std::fs::create_dir_all(directory).map_err(in_directory)?;
        let create = |name: &str| {
            File::create(directory.join(name))
                .map(BufWriter::new)
                .map_err(in_directory)
        };
        Ok(Self {
            reports: create("reports.jsonl")?,
            performance: create("performance.jsonl")?,
            alerts: create("alerts.jsonl")?,
            retrain_requests: create("retrain-requests.jsonl")?,
            directory: directory.to_owned(),
            summary: Summary::default(),
            violations: Vec::new(),
        })
    }

    fn write(&mut self, output: Output) -> Result<(), Failure> {
        self.summary.take(&output);
        match &output {
            Output::Report(report) => line(&mut self.reports, report),
            Output::Alert(alert) => line(&mut self.alerts, alert),
            Output::Violation(violation) => {
                let text = format!("{}: {}", violation.invariant.as_str(), violation.detail);
                tracing::error!("{text}");
                self.violations.push(text);
                Ok(())
            }
            Output::Performance(report) => line(&mut self.performance, report),
            Output::Pane(_) | Output::Judged(_) | Output::Late(_) => Ok(()),
        }
    }

    fn close(mut self, counts: Counts) -> Result<(Summary, Counts), Failure> {
        self.reports.flush()?;
        self.performance.flush()?;
        self.alerts.flush()?;
        self.retrain_requests.flush()?;
        let mut file = BufWriter::new(File::create(self.directory.join("summary.json"))?);
        let summary = SummaryFile {
            counts: &counts,
            alerts: self.summary.alerts(),
            violations: &self.violations,
            series: self.summary.rows(),
            performance: self.summary.performance(),
            concept_alerts: self.summary.concept_alerts(),
        };
        serde_json::to_writer_pretty(&mut file, &summary)
            .map_err(|e| Failure::internal(format_args!("cannot write summary.json: {e}")))?;
        file.write_all(b"\n")?;
        file.flush()?;
        Ok((self.summary, counts))
    }
}

fn line(file: &mut BufWriter<File>, value: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer(&mut *file, value)
        .map_err(|e| Failure::internal(format_args!("cannot write a line: {e}")))?;
    file.write_all(b"\n")?;
    Ok(())
}
