//! Durations such as `15m` and sizes such as `64MiB`.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A duration as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DurationText(pub String);

/// A size in bytes as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizeText(pub String);

const TIME_UNITS: &[(&str, u64)] = &[
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];

const SIZE_UNITS: &[(&str, u64)] = &[
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

impl DurationText {
    /// The duration: whole numbers with `ms s m h d w`, such as `90s` or `1h30m`.
    #[must_use]
    pub fn parse(&self) -> Option<Duration> {
        let mut rest = self.0.trim();
        let mut millis = 0_u64;
        if rest.is_empty() {
            return None;
        }
        while !rest.is_empty() {
            let (amount, after) = leading_number(rest)?;
            let end = after
                .find(|c: char| c.is_ascii_digit())
                .unwrap_or(after.len());
            let (unit, tail) = after.split_at(end);
            let (_, factor) = TIME_UNITS.iter().find(|(name, _)| *name == unit.trim())?;
            millis = millis.checked_add(amount.checked_mul(*factor)?)?;
            rest = tail;
        }
        // Event time counts microseconds in an i64; a century is far inside it.
        Some(Duration::from_millis(millis)).filter(|d| d.as_secs() <= 100 * 366 * 86_400)
    }
}

impl SizeText {
    /// The number of bytes: a whole number with `B KB MB GB KiB MiB GiB`.
    #[must_use]
    pub fn parse(&self) -> Option<u64> {
        let (amount, unit) = leading_number(self.0.trim())?;
        let unit = unit.trim();
        let (_, factor) = SIZE_UNITS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
        amount.checked_mul(*factor)
    }
}

fn leading_number(text: &str) -> Option<(u64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}

/// `90s`, `15m`, `1h30m`: the shortest spelling that [`DurationText`] reads back.
#[must_use]
pub fn spell_duration(duration: Duration) -> String {
    let mut millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".into();
    }
    let mut text = String::new();
    // Weeks are left out: people say 30d and 36h.
    for (unit, factor) in TIME_UNITS.iter().rev().skip(1) {
        if *unit == "d" && millis % 86_400_000 != 0 {
            continue;
        }
        if millis >= *factor {
            text.push_str(&format!("{}{unit}", millis / factor));
            millis %= factor;
        }
    }
    text
}

/// `900 B`, `12.3 KiB`, `64.0 MiB`.
#[must_use]
pub fn spell_bytes(bytes: u64) -> String {
    let mut amount = bytes as f64;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB"] {
        if amount < 1024.0 {
            break;
        }
        (amount, unit) = (amount / 1024.0, larger);
    }
    let decimals = usize::from(unit != "B");
    format!("{amount:.decimals$} {unit}")
}

impl JsonSchema for DurationText {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Whole numbers with units: ms, s, m, h, d, w.",
            "pattern": "^([0-9]+ ?(ms|s|m|h|d|w))+$",
            "examples": ["15m", "1h30m"],
        })
    }
}

impl JsonSchema for SizeText {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A whole number with a unit: B, KB, MB, GB, KiB, MiB, GiB.",
            "pattern": "^[0-9]+ ?([KkMmGg][Ii]?)?[Bb]$",
            "examples": ["64MiB"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> Option<u128> {
        DurationText(text.into()).parse().map(|d| d.as_millis())
    }

    #[test]
    fn reads_durations() {
        assert_eq!(millis("15m"), Some(900_000));
        assert_eq!(millis("1h30m"), Some(5_400_000));
        assert_eq!(millis("250ms"), Some(250));
        assert_eq!(millis("0s"), Some(0));
        for wrong in [
            "",
            "15",
            "m",
            "15 minutes",
            "-1s",
            "1.5h",
            "99999999999999999999s",
            "10000w",
        ] {
            assert_eq!(millis(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn reads_sizes() {
        let bytes = |text: &str| SizeText(text.into()).parse();
        assert_eq!(bytes("64MiB"), Some(64 << 20));
        assert_eq!(bytes("900 KB"), Some(900_000));
        assert_eq!(bytes("10b"), Some(10));
        for wrong in ["", "64", "MiB", "1.5MiB", "-1B", "18446744073709551615GiB"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn spells_what_it_reads() {
        for text in ["250ms", "90s", "15m", "1h30m", "30d", "36h", "0s"] {
            let duration = DurationText(text.into()).parse().unwrap();
            let spelt = spell_duration(duration);
            assert_eq!(
                DurationText(spelt.clone()).parse(),
                Some(duration),
                "{text} as {spelt}"
            );
        }
        assert_eq!(spell_duration(Duration::from_secs(36 * 3_600)), "36h");
        assert_eq!(spell_bytes(64 << 20), "64.0 MiB");
    }
}
