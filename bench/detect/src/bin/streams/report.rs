//! The tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::experiments::{Injected, Passage};
use crate::inject::Change;
use crate::rules::Rule;
use crate::score::{Score, poisson_interval};
use crate::stream::{Stream, Use};

/// A markdown table.
pub(crate) struct Markdown(String);

impl Markdown {
    pub(crate) fn new(header: &[&str]) -> Self {
        let mut table = Self(String::new());
        table.row(header.iter().map(|cell| (*cell).to_owned()));
        table.row(header.iter().map(|_| "---".to_owned()));
        table
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> = cells.into_iter().collect();
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "| {} |", cells.join(" | "));
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }
}

fn thousands(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three significant figures or so.
fn brief(value: f64) -> String {
    match value {
        v if !v.is_finite() => "–".to_owned(),
        v if v >= 100.0 => thousands(v),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

/// More than so much, if no false alarm was seen.
fn at_least(score: &Score, value: f64) -> String {
    let sign = if score.false_alarms == 0 { "> " } else { "" };
    format!("{sign}{}", brief(value))
}

/// The scores of all base streams together, picked by their cells.
fn pooled(
    injected: &Injected,
    labels: bool,
    rule: Rule,
    dummy: bool,
    wanted: impl Fn(Option<(usize, bool)>) -> bool,
) -> Score {
    let mut sum = Score::default();
    for ((_, cell), score) in injected {
        if (cell.labels, cell.rule, cell.dummy) == (labels, rule, dummy) && wanted(cell.drift) {
            sum.merge(score);
        }
    }
    sum
}

/// False alarms on shuffled streams.
pub(crate) fn null(injected: &Injected, trials: usize) -> String {
    let mut bases: Vec<&str> = injected.keys().map(|(name, _)| name.as_str()).collect();
    bases.dedup();
    let mut header = vec!["rule"];
    header.extend(&bases);
    header.extend(["all, per trial", "events between false alarms"]);
    let mut table = Markdown::new(&header);
    for rule in Rule::ALL {
        let mut cells = vec![rule.name().to_owned()];
        for base in &bases {
            let own = injected.iter().filter(|((name, cell), _)| {
                name == base
                    && cell.labels
                    && !cell.dummy
                    && cell.rule == rule
                    && cell.drift.is_none()
            });
            let count: usize = own.map(|(_, score)| score.false_alarms).sum();
            cells.push(brief(count as f64 / trials as f64));
        }
        let all = pooled(injected, true, rule, false, |drift| drift.is_none());
        let passes = (trials * bases.len()).max(1) as f64;
        let (low, high) = poisson_interval(all.false_alarms);
        let mean = all.false_alarms as f64 / passes;
        cells.push(format!(
            "{} ({}–{})",
            brief(mean),
            brief(low / passes),
            brief(high / passes)
        ));
        cells.push(at_least(&all, all.between_false_alarms()));
        table.row(cells);
    }
    table.finish()
}

/// All injected drifts together.
pub(crate) fn summary(injected: &Injected, labels: bool) -> String {
    let mut table = Markdown::new(&[
        "rule",
        "first-alarm F1",
        "MTFA",
        "MTD",
        "median delay",
        "MDR",
        "MTR",
        "dummy: every",
        "F1",
        "MTD",
        "MDR",
        "MTR",
    ]);
    for rule in Rule::ALL {
        // With labels all drifts; without, a swap of labels cannot be seen and is left out.
        let wanted = |drift: Option<(usize, bool)>| {
            labels || drift.is_none_or(|(place, _)| Change::ALL[place] != Change::Swaps)
        };
        let own = pooled(injected, labels, rule, false, wanted);
        let dummy = pooled(injected, labels, rule, true, wanted);
        let mut cells = vec![rule.name().to_owned()];
        cells.extend(figures(&own, own.f1()));
        if dummy.drifts == 0 {
            cells.extend(std::iter::repeat_n("–".to_owned(), 5));
        } else {
            cells.push(
                own.between_alarms()
                    .map_or("–".to_owned(), |every| thousands(every as f64)),
            );
            cells.push(format!("{:.2}", dummy.f1()));
            cells.push(
                dummy
                    .delay()
                    .map_or("–".to_owned(), |(mean, _)| thousands(mean)),
            );
            cells.push(format!("{:.2}", dummy.missed_rate()));
            cells.push(brief(dummy.ratio()));
        }
        table.row(cells);
    }
    table.finish()
}

fn figures(score: &Score, f1: f64) -> Vec<String> {
    let (low, high) = score.between_false_alarms_interval();
    let (missed_low, missed_high) = score.missed_rate_interval();
    let upper = if high.is_finite() {
        thousands(high)
    } else {
        "∞".to_owned()
    };
    vec![
        format!("{f1:.2}"),
        format!(
            "{} ({}–{upper})",
            at_least(score, score.between_false_alarms()),
            thousands(low)
        ),
        score.delay().map_or("–".to_owned(), |(mean, half)| {
            format!("{} ± {}", thousands(mean), thousands(half))
        }),
        score
            .median_delay()
            .map_or("–".to_owned(), |median| thousands(median as f64)),
        format!(
            "{:.2} ({missed_low:.2}–{missed_high:.2})",
            score.missed_rate()
        ),
        at_least(score, score.ratio()),
    ]
}

/// First-alarm F1, median delay by drift, all base streams together.
pub(crate) fn by_drift(injected: &Injected, labels: bool) -> String {
    let mut header = vec!["rule".to_owned()];
    let mut drifts = Vec::new();
    for (place, change) in Change::ALL.into_iter().enumerate() {
        for (gradual, word) in [(false, "abrupt"), (true, "gradual")] {
            header.push(format!("{}, {word}", change.name()));
            drifts.push((place, gradual));
        }
    }
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut table = Markdown::new(&header);
    for rule in Rule::ALL {
        let cell = |drift: &(usize, bool)| {
            cell(&pooled(injected, labels, rule, false, |d| {
                d == Some(*drift)
            }))
        };
        table.row(
            [rule.name().to_owned()]
                .into_iter()
                .chain(drifts.iter().map(cell)),
        );
    }
    table.finish()
}

fn cell(score: &Score) -> String {
    let delay = score
        .median_delay()
        .map_or("–".to_owned(), |median| thousands(median as f64));
    if score.drifts == 0 {
        "–".to_owned()
    } else {
        format!("{:.2}, {delay}", score.f1())
    }
}

/// One rule, by base stream and drift.
pub(crate) fn by_base(injected: &Injected, labels: bool, rule: Rule) -> String {
    let mut rows: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut header = vec!["stream".to_owned()];
    for (place, change) in Change::ALL.into_iter().enumerate() {
        for (gradual, word) in [(false, "abrupt"), (true, "gradual")] {
            header.push(format!("{}, {word}", change.name()));
            for (name, _) in injected.keys() {
                rows.entry(name).or_default();
            }
            for (name, cells) in &mut rows {
                let own = injected.iter().find(|((base, c), _)| {
                    (base.as_str(), c.labels, c.rule, c.dummy) == (*name, labels, rule, false)
                        && c.drift == Some((place, gradual))
                });
                cells.push(own.map_or("–".to_owned(), |(_, score)| cell(score)));
            }
        }
    }
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut table = Markdown::new(&header);
    for (name, cells) in rows {
        table.row([name.to_owned()].into_iter().chain(cells));
    }
    table.finish()
}

/// Streams with known drift: for each rule, drifts found, mean delay and false alarms.
pub(crate) fn known(passed: &[(&Stream, Vec<Passage>)]) -> String {
    let mut header = vec!["stream", "drifts"];
    header.extend(Rule::ALL.map(Rule::name));
    let mut table = Markdown::new(&header);
    for (stream, passages) in passed {
        let drifts = stream.meta.drifts.len().to_string();
        let cell = |passage: &Passage| {
            let score = &passage.score;
            let delay = score
                .delay()
                .map_or("–".to_owned(), |(mean, _)| thousands(mean));
            format!("{} in {delay}; {} false", score.found, score.false_alarms)
        };
        let cells = passages.iter().map(cell);
        table.row([stream.meta.name.clone(), drifts].into_iter().chain(cells));
    }
    table.finish()
}

/// The same, all streams together.
pub(crate) fn known_summary(passed: &[(&Stream, Vec<Passage>)]) -> String {
    let mut table = Markdown::new(&[
        "rule",
        "MTFA",
        "MTD",
        "median delay",
        "MDR",
        "MTR",
        "dummy's MTD",
        "MDR",
        "MTR",
    ]);
    for (place, rule) in Rule::ALL.into_iter().enumerate() {
        let (mut own, mut dummy) = (Score::default(), Score::default());
        for (_, passages) in passed {
            own.merge(&passages[place].score);
            dummy.merge(&passages[place].dummy);
        }
        let mut cells = vec![rule.name().to_owned()];
        cells.extend(figures(&own, 0.0).split_off(1));
        cells.push(
            dummy
                .delay()
                .map_or("–".to_owned(), |(mean, _)| thousands(mean)),
        );
        cells.push(format!("{:.2}", dummy.missed_rate()));
        cells.push(brief(dummy.ratio()));
        table.row(cells);
    }
    table.finish()
}

/// Real streams: alarms and the first of them.
pub(crate) fn real(passed: &[(&Stream, Vec<Passage>)]) -> String {
    let mut header = vec!["stream", "events after the reference"];
    header.extend(Rule::ALL.map(Rule::name));
    let mut table = Markdown::new(&header);
    for (stream, passages) in passed {
        let events = passages.first().map_or(0, |passage| passage.score.events);
        let cell = |passage: &Passage| match passage.alarms.first() {
            Some(first) => {
                let after = thousands((first - (stream.table.rows - events)) as f64);
                let names = passage
                    .columns
                    .first()
                    .map_or(String::new(), |names| few(names));
                format!("{}, first after {after}{names}", passage.alarms.len())
            }
            None => "0".to_owned(),
        };
        let cells = passages.iter().map(cell);
        table.row(
            [stream.meta.name.clone(), thousands(events as f64)]
                .into_iter()
                .chain(cells),
        );
    }
    table.finish()
}

/// The first columns of an alarm.
fn few(names: &[String]) -> String {
    let more = if names.len() > 2 { ", …" } else { "" };
    let shown = names.iter().take(2).map(|name| format!("`{name}`"));
    format!(" ({}{more})", shown.collect::<Vec<_>>().join(", "))
}

/// What the streams are and where they come from.
pub(crate) fn sources(streams: &[Stream]) -> String {
    let mut table = Markdown::new(&[
        "stream",
        "use",
        "events",
        "columns",
        "known drift at",
        "source",
        "package",
        "licence",
    ]);
    for stream in streams {
        let meta = &stream.meta;
        let at = |drift: &crate::stream::Drift| match drift.end {
            end if end == drift.start => format!("{} ({})", drift.start, drift.what),
            end => format!("{}–{end} ({})", drift.start, drift.what),
        };
        let drifts: Vec<String> = meta.drifts.iter().map(at).collect();
        table.row([
            meta.name.clone(),
            match meta.usage {
                Use::Drifts => "known drift",
                Use::Base => "shuffled, drift injected",
                Use::Control => "said to have no drift",
                Use::Real => "real, as it came",
            }
            .to_owned(),
            thousands(stream.table.rows as f64),
            stream.table.columns.len().to_string(),
            drifts.join(", "),
            meta.source.clone(),
            format!("{} {}", meta.package, meta.version),
            meta.licence.clone(),
        ]);
    }
    table.finish()
}
