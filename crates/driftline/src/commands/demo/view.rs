//! The demo's live view: what drifts, as it happens.

use std::fmt::Write as _;
use std::io;
use std::time::{Duration, Instant};

use console::{Term, style, truncate_str};
use driftline_event::{AlertEvent, AlertStatus, SeriesState, Statistic, Timestamp};
use driftline_telemetry::Telemetry;

use super::traffic::Sent;
use std::sync::atomic::Ordering;

/// How often the view is drawn anew.
const EVERY: Duration = Duration::from_millis(250);
const BAR_WIDTH: usize = 24;
/// The PSI at which a bar is full.
const BAR_FULL: f64 = 1.0;
const ALERTS_SHOWN: usize = 6;

/// How the view shows what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// A picture that is drawn anew, on a terminal.
    Picture,
    /// A line per alert, elsewhere.
    Lines,
    /// Nothing, where not even errors are logged (`--quiet`).
    Silent,
}

/// Draws on a terminal; elsewhere it writes a line per alert.
#[derive(Debug)]
pub(super) struct View {
    term: Term,
    style: Style,
    lines: usize,
    due: Instant,
    window: &'static str,
    alerts: Vec<AlertEvent>,
}

impl View {
    /// A view of the windows named `window`.
    pub(super) fn new(window: &'static str) -> Self {
        let term = Term::stderr();
        let style = match (tracing::enabled!(tracing::Level::ERROR), term.is_term()) {
            (false, _) => Style::Silent,
            (true, true) => Style::Picture,
            (true, false) => Style::Lines,
        };
        Self {
            term,
            style,
            lines: 0,
            due: Instant::now(),
            window,
            alerts: Vec::new(),
        }
    }

    /// Says where the page is, where nothing is drawn.
    pub(super) fn announce(&self, address: &str) {
        if self.style == Style::Lines {
            let _ = self
                .term
                .write_line(&format!("page: {address}   metrics: {address}metrics"));
        }
    }

    /// Shows an alert.
    pub(super) fn alert(&mut self, alert: &AlertEvent) {
        self.alerts.push(alert.clone());
        if self.style == Style::Lines {
            let _ = self.term.write_line(&alert_line(alert));
        }
    }

    /// Draws the state of things if it is time to.
    ///
    /// # Errors
    /// When the terminal cannot be written.
    pub(super) fn draw(
        &mut self,
        telemetry: &Telemetry,
        sent: &Sent,
        address: &str,
    ) -> io::Result<()> {
        if self.style != Style::Picture || Instant::now() < self.due {
            return Ok(());
        }
        self.due = Instant::now() + EVERY;
        // A line that wraps would be two lines of the screen, and the next drawing would miss one.
        let width = usize::from(self.term.size().1).max(20);
        let text = self.text(telemetry, sent, address);
        let lines: Vec<_> = text
            .lines()
            .map(|line| truncate_str(line, width, "…"))
            .collect();
        self.term.clear_last_lines(self.lines)?;
        self.lines = lines.len();
        self.term.write_line(&lines.join("\n"))
    }

    fn text(&self, telemetry: &Telemetry, sent: &Sent, address: &str) -> String {
        let mut text = String::new();
        let now = Timestamp::from_micros(sent.event_time.load(Ordering::Relaxed)).to_string();
        let _ = writeln!(
            text,
            "{}  {}  {} predictions, {} labels   {}\n",
            style("driftline demo").bold(),
            style(now.get(..10).unwrap_or("")).cyan(),
            sent.predictions.load(Ordering::Relaxed),
            sent.labels.load(Ordering::Relaxed),
            style(address).underlined(),
        );
        let mut rows: Vec<_> = telemetry
            .latest_reports()
            .into_iter()
            .filter(|s| s.report.window.name == self.window)
            .collect();
        if rows.is_empty() {
            let _ = writeln!(text, "waiting for the first window to close …");
        }
        rows.sort_by(|a, b| {
            let psi =
                |s: &driftline_telemetry::SeriesView| s.report.value(Statistic::Psi).unwrap_or(0.0);
            psi(b).total_cmp(&psi(a))
        });
        for row in &rows {
            let report = &row.report;
            let psi = report.value(Statistic::Psi).unwrap_or(0.0);
            let _ = writeln!(
                text,
                "{:<12} {}  PSI {:>6.3}  {}",
                report.series.feature,
                bar(psi, report.state),
                psi,
                badge(report.state)
            );
        }
        if !self.alerts.is_empty() {
            text.push('\n');
        }
        for alert in self.alerts.iter().rev().take(ALERTS_SHOWN).rev() {
            let _ = writeln!(text, "{}", alert_line(alert));
        }
        text
    }
}

fn bar(psi: f64, state: SeriesState) -> console::StyledObject<String> {
    let filled = ((psi / BAR_FULL).clamp(0.0, 1.0) * BAR_WIDTH as f64).round() as usize;
    let text = format!("{}{}", "█".repeat(filled), "·".repeat(BAR_WIDTH - filled));
    if state == SeriesState::Drifted {
        style(text).yellow()
    } else {
        style(text).blue()
    }
}

fn badge(state: SeriesState) -> console::StyledObject<&'static str> {
    match state {
        SeriesState::Drifted => style("● drifted").yellow().bold(),
        SeriesState::Warning => style("◐ warning").yellow(),
        SeriesState::Stable => style("○ stable").green(),
        other => style(other.as_str()).dim(),
    }
}

fn alert_line(alert: &AlertEvent) -> String {
    let mark = match alert.status {
        AlertStatus::Firing => style("ALERT   ").yellow().bold(),
        _ => style("resolved").green(),
    };
    let (at, since) = (
        alert.evaluated_at.to_string(),
        alert.onset.unwrap_or(alert.started_at).to_string(),
    );
    let evidence = &alert.statistic;
    let what = match &alert.effect {
        Some(effect) => format!(
            "{} in {:.1} % of events, was {:.1} %",
            effect.indicator,
            100.0 * effect.current,
            100.0 * effect.reference,
        ),
        None => format!(
            "{} {:.3}, threshold {}",
            evidence.name, evidence.value, evidence.threshold
        ),
    };
    format!(
        "{mark} {}  {}: {what}, since {}",
        at.get(..10).unwrap_or(""),
        alert.series.feature,
        since.get(..10).unwrap_or(""),
    )
}
