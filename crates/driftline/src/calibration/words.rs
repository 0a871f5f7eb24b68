//! Numbers, times and names as people read them.

use driftline_event::Timestamp;

pub(super) fn date(day: i64) -> String {
    let at = Timestamp::from_seconds(day.saturating_mul(86_400)).to_string();
    at.split('T').next().unwrap_or_default().to_owned()
}

pub(super) fn minute(at: Timestamp) -> String {
    let text = at.to_string();
    match text.strip_suffix("T00:00:00Z") {
        Some(date) => date.to_owned(),
        None => text.chars().take(16).collect::<String>().replace('T', " "),
    }
}

pub(super) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent < 9.95 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.0} %")
    }
}

/// A number of events, to two digits unless it was counted, with commas between thousands.
pub(super) fn count(events: f64) -> String {
    let digits = events.max(1.0).log10().floor() as i32;
    let unit = 10_f64.powi((digits - 1).max(0));
    let exact = events.fract() == 0.0;
    let whole = if exact {
        events
    } else {
        (events / unit).round() * unit
    };
    let text = format!("{whole:.0}");
    let mut spaced = String::new();
    for (i, digit) in text.chars().enumerate() {
        if i > 0 && (text.len() - i).is_multiple_of(3) {
            spaced.push(',');
        }
        spaced.push(digit);
    }
    spaced
}

pub(super) fn span(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5_400.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3_600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_precise_as_they_deserve() {
        assert_eq!(
            [count(1_234.4), count(27_004.0), count(0.4)],
            ["1,200", "27,004", "0"]
        );
        assert_eq!(
            [span(59.6), span(300.0), span(7_300.0), span(4e5)],
            ["60 s", "5 min", "2 h", "5 days"]
        );
        assert_eq!([percent(0.001), percent(0.2512)], ["0.1 %", "25 %"]);
        assert_eq!(date(19_728), "2024-01-06");
        let at = |text: &str| minute(text.parse().unwrap());
        assert_eq!(
            [at("2013-01-01T05:15:00Z"), at("2013-02-01")],
            ["2013-01-01 05:15", "2013-02-01"]
        );
    }
}
