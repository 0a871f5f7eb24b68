//! Numbers as people say them.

/// A duration or a delay in its largest sensible unit.
///
/// ```
/// use driftline_event::seconds_in_words;
/// assert_eq!(seconds_in_words(1.0), "1 s");
/// assert_eq!(seconds_in_words(600.0), "10 min");
/// assert_eq!(seconds_in_words(9_600.0), "2.7 h");
/// assert_eq!(seconds_in_words(259_200.0), "3.0 d");
/// ```
pub fn seconds_in_words(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5_400.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3_600.0),
        s => format!("{:.1} d", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_ends_where_the_next_is_shorter() {
        for (seconds, text) in [
            (0.0, "0 s"),
            (89.4, "89 s"),
            (90.0, "2 min"),
            (5_399.0, "90 min"),
            (36_000.0, "10.0 h"),
            (604_800.0, "7.0 d"),
        ] {
            assert_eq!(seconds_in_words(seconds), text);
        }
    }
}
