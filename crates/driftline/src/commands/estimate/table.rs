//! The estimates as a table for people.

use std::io::IsTerminal as _;

use console::Style;
use driftline_stat::estimate::{Health, HealthReason, HealthState};

use super::series::{Chunk, Estimation, Series, Value};
use crate::cli::EstimateTask;
use crate::page::number::{count, percent, short};
use crate::terminal;

/// Chunks that are listed; JSON has all.
const CHUNKS_MAX: usize = 200;
/// Names are cut to this, for they come from the files.
const NAME_WIDTH_MAX: usize = 40;

/// How much room there is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    width: usize,
    colour: bool,
}

impl Layout {
    /// As wide as the terminal, or as `COLUMNS` says; coloured on a terminal unless `NO_COLOR` is set.
    pub(super) fn of_terminal() -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let asked = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
        let seen = is_terminal.then(|| usize::from(console::Term::stdout().size().1));
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let width: usize = asked.or(seen).unwrap_or(120);
        Self {
            width: width.max(40),
            colour: is_terminal && !no_colour,
        }
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.colour {
            style.force_styling(true).apply_to(text).to_string()
        } else {
            text.to_owned()
        }
    }

    fn quiet(self, text: &str) -> String {
        self.paint(Style::new().dim(), text)
    }

    fn health(self, state: HealthState) -> String {
        let style = match state {
            HealthState::Ok => Style::new().green(),
            HealthState::Doubtful => Style::new().yellow(),
            HealthState::Broken => Style::new().red().bold(),
        };
        self.paint(style, state.as_str())
    }
}

/// The whole text: files, tables, legend, verdict.
pub(super) fn write(estimation: &Estimation, layout: &Layout) -> String {
    let mut text = header(estimation);
    let shown = estimation.chunks.len().min(CHUNKS_MAX);
    let chunks = &estimation.chunks[..shown];
    let labelled = chunks
        .iter()
        .flat_map(|c| &c.values)
        .any(|v| v.realised.is_some());
    for block in blocks(estimation, chunks, *layout, labelled) {
        text.push('\n');
        text.push_str(&terminal::table(
            &block,
            &(1..block[0].len()).collect::<Vec<_>>(),
        ));
    }
    if shown < estimation.chunks.len() {
        let more = count(estimation.chunks.len() - shown);
        text.push_str(&format!(
            "… and {more} more chunks; --format json has all\n"
        ));
    }
    text.push('\n');
    for line in legend(estimation, labelled) {
        text.push_str(&layout.quiet(&line));
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&assumptions(estimation));
    text.push_str(&verdict(estimation));
    text.push('\n');
    text
}

fn header(estimation: &Estimation) -> String {
    let calibrated: Vec<&str> = estimation
        .calibrated
        .iter()
        .filter(|(_, done)| *done)
        .map(|(name, _)| name.as_str())
        .collect();
    let scores = match estimation.task {
        EstimateTask::Regression => "losses learned on the reference".to_owned(),
        _ if calibrated.is_empty() => "scores taken as probabilities".to_owned(),
        EstimateTask::Binary => "scores calibrated on the reference".to_owned(),
        EstimateTask::Multiclass => {
            format!(
                "calibrated on the reference: {}",
                terminal::clean(&calibrated.join(", "))
            )
        }
    };
    let file = |(name, rows): &(String, usize)| {
        format!("{} ({} rows)", terminal::clean(name), count(*rows))
    };
    format!(
        "reference  {}\ncurrent    {}\ntask       {}, {scores}\n",
        file(&estimation.reference),
        file(&estimation.current),
        estimation.task.name(),
    )
}

/// Tables of as many metrics as have room side by side.
fn blocks(
    estimation: &Estimation,
    chunks: &[Chunk],
    layout: Layout,
    labelled: bool,
) -> Vec<Vec<Vec<String>>> {
    let rows = first_column(chunks, labelled);
    let health = health_column(chunks, layout, labelled);
    let columns: Vec<Vec<String>> = estimation
        .series
        .iter()
        .enumerate()
        .map(|(i, series)| metric_column(i, series, chunks, layout, labelled))
        .collect();
    let width = |column: &[String]| {
        column
            .iter()
            .map(|cell| console::measure_text_width(cell))
            .max()
            .unwrap_or(0)
            + 2
    };
    let fixed = width(&rows) + width(&health);
    let mut blocks: Vec<Vec<&Vec<String>>> = Vec::new();
    let mut room = 0;
    for column in &columns {
        let needed = width(column);
        match blocks.last_mut() {
            Some(block) if needed <= room => block.push(column),
            _ => {
                blocks.push(vec![column]);
                room = layout.width.saturating_sub(fixed).max(needed);
            }
        }
        room -= needed.min(room);
    }
    let line = |block: &[&Vec<String>], i: usize| {
        let metrics = block.iter().map(|column| column[i].clone());
        [rows[i].clone()]
            .into_iter()
            .chain(metrics)
            .chain([health[i].clone()])
            .collect()
    };
    let table = |block: Vec<&Vec<String>>| (0..rows.len()).map(|i| line(&block, i)).collect();
    blocks.into_iter().map(table).collect()
}

fn first_column(chunks: &[Chunk], labelled: bool) -> Vec<String> {
    let mut column = vec!["rows".to_owned()];
    for chunk in chunks {
        let span = chunk
            .span
            .map(|(from, _)| format!("  {}", &from.to_string()[..10]));
        let place = &chunk.place;
        column.push(format!(
            "{}–{}{}",
            place.start,
            place.end.saturating_sub(1),
            span.unwrap_or_default()
        ));
        if labelled {
            column.push("  realised".into());
        }
    }
    column.push("expected".into());
    column
}

fn metric_column(
    i: usize,
    series: &Series,
    chunks: &[Chunk],
    layout: Layout,
    labelled: bool,
) -> Vec<String> {
    let mut column = vec![cut(&series.name)];
    for chunk in chunks {
        let value = &chunk.values[i];
        column.push(estimate(series, value, layout));
        if labelled {
            let outside = value
                .realised
                .zip(value.band)
                .is_some_and(|(x, (low, high))| x < low || x > high);
            let text = value.realised.map_or("–".to_owned(), |x| number(series, x));
            column.push(if outside {
                layout.paint(Style::new().yellow(), &format!("≠ {text}"))
            } else {
                layout.quiet(&text)
            });
        }
    }
    let thresholds = series.thresholds;
    column.push(thresholds.map_or("–".to_owned(), |t| {
        layout.quiet(&format!(
            "{} … {}",
            number(series, t.lower),
            number(series, t.upper)
        ))
    }));
    column
}

/// The estimate with half the width of its band, and an arrow where it is beyond its thresholds.
fn estimate(series: &Series, value: &Value, layout: Layout) -> String {
    let Some(x) = value.estimate else {
        return "–".into();
    };
    let reach = value.band.map(|(low, high)| (x - low).max(high - x));
    let reach = reach.map_or(String::new(), |reach| {
        format!(" ±{}", number(series, reach))
    });
    let text = format!("{}{reach}", number(series, x));
    match series.thresholds {
        Some(t) if x < t.lower => layout.paint(Style::new().red().bold(), &format!("▼ {text}")),
        Some(t) if x > t.upper => layout.paint(Style::new().red().bold(), &format!("▲ {text}")),
        _ => text,
    }
}

fn health_column(chunks: &[Chunk], layout: Layout, labelled: bool) -> Vec<String> {
    let mut column = vec!["health".to_owned()];
    for chunk in chunks {
        let state = chunk.health.as_ref().map(|h| layout.health(h.state));
        column.push(state.unwrap_or_else(|| "–".into()));
        if labelled {
            column.push(String::new());
        }
    }
    column.push(String::new());
    column
}

/// Shares with four places, so that they stand under each other; everything else as short as can be.
fn number(series: &Series, x: f64) -> String {
    if series.limits.1 <= 1.0 {
        format!("{x:.4}")
    } else {
        short(x)
    }
}

fn legend(estimation: &Estimation, labelled: bool) -> Vec<String> {
    let wide = short(estimation.deviations);
    let mut lines = vec![
        format!(
            "±: {wide} standard errors of a chunk of this size; it shrinks with the chunk, an error in the assumptions does not"
        ),
        format!(
            "expected: mean of the reference's chunks and {wide} standard deviations; ▼ ▲ beyond it"
        ),
    ];
    if labelled {
        lines.push("≠: labels that are known say otherwise than the estimate".into());
    }
    lines
}

/// What speaks against the estimates, with the worst chunk of each reason.
fn assumptions(estimation: &Estimation) -> String {
    let health: Vec<(&Chunk, &Health)> = estimation
        .chunks
        .iter()
        .filter_map(|c| Some((c, c.health.as_ref()?)))
        .collect();
    let mut text = String::new();
    let reasons = [
        HealthReason::ScoreDrift,
        HealthReason::OutsideReference,
        HealthReason::ThinReference,
        HealthReason::Missing,
        HealthReason::LabelsDisagree,
    ];
    for reason in reasons {
        let with: Vec<_> = health
            .iter()
            .filter(|(_, h)| h.reasons.contains(&reason))
            .collect();
        let worst = with
            .iter()
            .max_by(|a, b| measure(reason, a.1).total_cmp(&measure(reason, b.1)));
        let Some((chunk, worst)) = worst else {
            continue;
        };
        let at = &chunk.place;
        let what = match reason {
            HealthReason::ScoreDrift => format!(
                "scores are distributed otherwise than in the reference (Kolmogorov–Smirnov distance up to {}, \
                 chance alone {})",
                short(worst.distance),
                short(worst.floor)
            ),
            HealthReason::OutsideReference => {
                format!(
                    "up to {} of rows lie outside what the reference has",
                    percent(worst.outside)
                )
            }
            HealthReason::ThinReference => {
                format!(
                    "up to {} of scores lie where the reference has few rows",
                    percent(worst.thin)
                )
            }
            HealthReason::Missing => {
                format!(
                    "up to {} of rows lack a score or prediction",
                    percent(worst.missing)
                )
            }
            HealthReason::LabelsDisagree => "known labels contradict the estimate".to_owned(),
        };
        let chunks = if with.len() == 1 { "chunk" } else { "chunks" };
        text.push_str(&format!(
            "{} {chunks}: {what}; rows {}–{}\n",
            with.len(),
            at.start,
            at.end.saturating_sub(1)
        ));
    }
    text
}

fn measure(reason: HealthReason, health: &Health) -> f64 {
    match reason {
        HealthReason::ScoreDrift => health.distance,
        HealthReason::OutsideReference => health.outside,
        HealthReason::ThinReference => health.thin,
        HealthReason::Missing => health.missing,
        HealthReason::LabelsDisagree => 0.0,
    }
}

fn verdict(estimation: &Estimation) -> String {
    let all = estimation.chunks.len();
    let chunks = if all == 1 { "chunk" } else { "chunks" };
    let alerts = estimation.chunks.iter().filter(|c| c.alert()).count();
    if alerts == 0 {
        return format!(
            "All estimates of {all} {chunks} are within what the reference leads to expect."
        );
    }
    let beyond = |i: usize| estimation.chunks.iter().any(|c| c.values[i].alert);
    let named = estimation
        .series
        .iter()
        .enumerate()
        .filter(|(i, _)| beyond(*i));
    let named: Vec<String> = named.map(|(_, series)| cut(&series.name)).collect();
    let are = if alerts == 1 { "is" } else { "are" };
    format!(
        "{alerts} of {all} {chunks} {are} beyond what the reference leads to expect: {}.",
        named.join(", ")
    )
}

fn cut(name: &str) -> String {
    let clean = terminal::clean(name);
    if clean.chars().count() <= NAME_WIDTH_MAX {
        return clean;
    }
    clean
        .chars()
        .take(NAME_WIDTH_MAX - 1)
        .chain(['…'])
        .collect()
}
