//! Event time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant of event time: microseconds since 1970-01-01T00:00:00Z.
///
/// Event time comes from the data, never from a clock. Arithmetic saturates, so a hostile value cannot
/// overflow. The text form is RFC 3339 in UTC.
///
/// ```
/// use driftline_event::Timestamp;
/// let t: Timestamp = "2013-01-01T05:15:00Z".parse()?;
/// assert_eq!(t.as_micros(), 1_357_017_300_000_000);
/// assert_eq!(t.to_string(), "2013-01-01T05:15:00Z");
/// # Ok::<(), driftline_event::ParseTimestampError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

impl Timestamp {
    /// The earliest representable instant.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest representable instant.
    pub const MAX: Self = Self(i64::MAX);

    /// From microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From milliseconds since the Unix epoch, saturating.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// From seconds since the Unix epoch, saturating.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(MICROS_PER_SECOND))
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Seconds since the Unix epoch, as Prometheus wants them.
    pub fn as_seconds_f64(self) -> f64 {
        self.0 as f64 / MICROS_PER_SECOND as f64
    }

    /// This instant moved forward by `span`.
    pub fn saturating_add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span_micros(span)))
    }

    /// This instant moved back by `span`.
    pub fn saturating_sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span_micros(span)))
    }

    /// The time from `earlier` to this instant; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The start of the `width`-long interval, counted from the epoch, in which this instant lies.
    ///
    /// A zero `width` returns the instant itself.
    pub fn floor_to(self, width: Duration) -> Self {
        match span_micros(width) {
            0 => self,
            width => Self(self.0.div_euclid(width).saturating_mul(width)),
        }
    }

    /// The first instant of the month of the calendar, in UTC, in which this instant lies.
    ///
    /// ```
    /// use driftline_event::Timestamp;
    /// let t: Timestamp = "2024-02-29T12:00:00Z".parse()?;
    /// assert_eq!(t.floor_to_month().to_string(), "2024-02-01T00:00:00Z");
    /// assert_eq!(t.next_month().to_string(), "2024-03-01T00:00:00Z");
    /// # Ok::<(), driftline_event::ParseTimestampError>(())
    /// ```
    pub fn floor_to_month(self) -> Self {
        let (year, month, _) = civil_from_days(self.0.div_euclid(MICROS_PER_DAY));
        Self(days_from_civil(year, month, 1).saturating_mul(MICROS_PER_DAY))
    }

    /// The first instant of the month of the calendar, in UTC, after the one in which this instant lies.
    pub fn next_month(self) -> Self {
        let (year, month, _) = civil_from_days(self.0.div_euclid(MICROS_PER_DAY));
        let (year, month) = if month == 12 {
            (year + 1, 1)
        } else {
            (year, month + 1)
        };
        Self(days_from_civil(year, month, 1).saturating_mul(MICROS_PER_DAY))
    }
}

fn span_micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// Days since the epoch to (year, month, day) of the proleptic Gregorian calendar
/// (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).
fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The inverse of [`civil_from_days`] (same source, `days_from_civil`).
fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month = i64::from(month);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0.div_euclid(MICROS_PER_DAY));
        let of_day = self.0.rem_euclid(MICROS_PER_DAY);
        let (seconds, micros) = (of_day / MICROS_PER_SECOND, of_day % MICROS_PER_SECOND);
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )?;
        match micros {
            0 => {}
            m if m % 1_000 == 0 => write!(f, ".{:03}", m / 1_000)?,
            m => write!(f, ".{m:06}")?,
        }
        f.write_str("Z")
    }
}

/// Why a text is not a timestamp.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a date and time such as 2013-01-01T05:15:00Z")]
pub struct ParseTimestampError {
    text: String,
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    /// Reads RFC 3339, and the same with a space for the `T`, without a zone (UTC is meant) or with the
    /// date alone. Digits past the microsecond are cut off.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text.trim()).ok_or_else(|| ParseTimestampError {
            text: text.chars().take(64).collect(),
        })
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<u32> {
        bytes.get(from..to)?.iter().try_fold(0_u32, |n, b| {
            b.is_ascii_digit().then(|| n * 10 + u32::from(b - b'0'))
        })
    };
    let at = |i: usize| bytes.get(i).copied();
    if at(4)? != b'-' || at(7)? != b'-' {
        return None;
    }
    let (year, month, day) = (i64::from(number(0, 4)?), number(5, 7)?, number(8, 10)?);
    let days = days_from_civil(year, month, day);
    if civil_from_days(days) != (year, month, day) {
        return None;
    }
    let midnight = days.checked_mul(MICROS_PER_DAY)?;
    if bytes.len() == 10 {
        return Some(Timestamp(midnight));
    }
    if !matches!(at(10)?, b'T' | b't' | b' ') || at(13)? != b':' || at(16)? != b':' {
        return None;
    }
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut rest = bytes.get(19..)?;
    let mut micros = 0_i64;
    if let [b'.', fraction @ ..] = rest {
        let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        micros = (0..6).fold(0, |m, i| {
            m * 10
                + fraction
                    .get(i)
                    .filter(|_| i < digits)
                    .map_or(0, |b| i64::from(b - b'0'))
        });
        rest = &fraction[digits..];
    }
    let zone_seconds = match rest {
        [] | [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2]
            if [h1, h2, m1, m2].iter().all(|b| b.is_ascii_digit()) =>
        {
            let two = |a: &u8, b: &u8| i64::from(a - b'0') * 10 + i64::from(b - b'0');
            let seconds = two(h1, h2) * 3_600 + two(m1, m2) * 60;
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    let seconds =
        i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second) - zone_seconds;
    Some(Timestamp(midnight + seconds * MICROS_PER_SECOND + micros))
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_usual_spellings_of_one_instant() {
        for text in [
            "2013-01-01T05:15:00Z",
            "2013-01-01 05:15:00",
            "2013-01-01t05:15:00z",
            "2013-01-01T07:15:00+02:00",
            "2013-01-01T05:15:00.000000999Z",
        ] {
            assert_eq!(
                text.parse::<Timestamp>().map(Timestamp::as_micros),
                Ok(1_357_017_300_000_000),
                "{text}"
            );
        }
        assert_eq!("1970-01-02".parse(), Ok(Timestamp::from_seconds(86_400)));
        assert_eq!(
            "1969-12-31T23:59:59.5Z".parse(),
            Ok(Timestamp::from_micros(-500_000))
        );
    }

    #[test]
    fn refuses_what_is_not_an_instant() {
        for text in [
            "",
            "now",
            "2013-02-29",
            "2013-13-01",
            "2013-01-01T25:00:00Z",
            "2013-01-01T05:15:00+2",
            "2013-01-01T05:15:00.Z",
            "２０１３-01-01",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn prints_what_it_reads_for_every_day_of_four_centuries() {
        for day in (-146_097..146_097).step_by(13) {
            let t = Timestamp::from_micros(day * MICROS_PER_DAY + 3_723_000_001);
            assert_eq!(t.to_string().parse(), Ok(t));
        }
    }

    #[test]
    fn months_follow_each_other() {
        let mut at: Timestamp = "1899-12-31".parse().unwrap();
        for _ in 0..3_000 {
            let next = at.next_month();
            assert_eq!(next.floor_to_month(), next);
            assert_eq!(
                Timestamp::from_micros(next.as_micros() - 1).next_month(),
                next
            );
            let days = next.since(at.floor_to_month()).as_secs() / 86_400;
            assert!((28..=31).contains(&days), "{at}");
            at = next;
        }
        assert_eq!(at.to_string(), "2149-12-01T00:00:00Z");
        assert!(Timestamp::MIN.floor_to_month() <= Timestamp::MIN.next_month());
        assert!(Timestamp::MAX.floor_to_month() <= Timestamp::MAX);
    }

    #[test]
    fn floors_before_the_epoch_too() {
        let hour = Duration::from_secs(3_600);
        assert_eq!(
            Timestamp::from_seconds(-1).floor_to(hour),
            Timestamp::from_seconds(-3_600)
        );
        assert_eq!(
            Timestamp::from_seconds(3_600).floor_to(hour),
            Timestamp::from_seconds(3_600)
        );
        assert_eq!(Timestamp::MAX.saturating_add(hour), Timestamp::MAX);
    }
}
