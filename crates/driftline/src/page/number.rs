//! Numbers as people read them.

/// A count with its thousands set apart by narrow spaces.
///
/// ```
/// assert_eq!(driftline::page::number::count(1234567), "1\u{202f}234\u{202f}567");
/// ```
#[must_use]
pub fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A number with about four significant digits.
///
/// ```
/// use driftline::page::number::short;
///
/// assert_eq!((short(0.30004), short(12345.6), short(1e12)), ("0.3".into(), "12346".into(), "1.000e12".into()));
/// ```
#[must_use]
pub fn short(x: f64) -> String {
    let size = x.abs();
    if x == 0.0 || (x.fract() == 0.0 && size < 1e9) {
        // Adding zero makes negative zero positive.
        return format!("{}", x + 0.0);
    }
    if !(1e-4..1e9).contains(&size) {
        return format!("{x:.3e}");
    }
    let decimals = (3 - size.log10().floor() as i32).clamp(0, 8) as usize;
    let text = format!("{x:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A share as per cent: 0 and 100 % only when it is exactly that.
///
/// ```
/// use driftline::page::number::percent;
///
/// assert_eq!((percent(0.0), percent(0.00001), percent(0.123)), ("0 %".into(), "<0.1 %".into(), "12.3 %".into()));
/// ```
#[must_use]
pub fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".into(),
        100.0 => "100 %".into(),
        p if p < 0.1 => "<0.1 %".into(),
        p if p > 99.9 => ">99.9 %".into(),
        p => format!("{p:.1} %"),
    }
}

/// A p-value with two significant digits.
///
/// ```
/// use driftline::page::number::probability;
///
/// assert_eq!((probability(0.04321), probability(1.2e-9)), ("0.043".into(), "1.2e-9".into()));
/// ```
#[must_use]
pub fn probability(p: f64) -> String {
    if p < 1e-300 {
        "<1e-300".into()
    } else if p < 1e-3 {
        format!("{p:.1e}")
    } else {
        format!("{p:.3}")
    }
}

/// At most `ticks_max` round numbers in `low..=high`, as an axis shows them, with their texts.
#[must_use]
pub fn ticks(low: f64, high: f64, ticks_max: usize) -> Vec<(f64, String)> {
    let span = high - low;
    if !span.is_finite() || span <= 0.0 || ticks_max == 0 {
        return Vec::new();
    }
    let rough = span / ticks_max as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|&step| {
            step >= rough && (high / step).floor() - (low / step).ceil() < ticks_max as f64
        });
    let Some(step) = step.filter(|s| s.is_normal()) else {
        return Vec::new();
    };
    let first = (low / step).ceil();
    (0..ticks_max)
        .map(|i| (first + i as f64) * step)
        .take_while(|&x| x <= high)
        .map(|x| (x, tick_text(x, step)))
        .collect()
}

fn tick_text(x: f64, step: f64) -> String {
    let size = x.abs().max(step);
    if !(1e-3..1e7).contains(&size) {
        return if x == 0.0 {
            "0".into()
        } else {
            format!("{x:.1e}")
        };
    }
    // A step of 2.5 needs one digit more than its power of ten.
    let decimals = (0..=6)
        .find(|&d| {
            let scaled = step * 10_f64.powi(d);
            (scaled - scaled.round()).abs() < 1e-6
        })
        .unwrap_or(6);
    format!("{:.*}", decimals as usize, x + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        let texts = |low, high, n| -> Vec<String> {
            ticks(low, high, n).into_iter().map(|t| t.1).collect()
        };
        assert_eq!(texts(0.0, 10.0, 5), ["0.0", "2.5", "5.0", "7.5", "10.0"]);
        assert_eq!(texts(5.0, 23.0, 5), ["5", "10", "15", "20"]);
        assert_eq!(texts(0.0, 1.0, 4), ["0.0", "0.5", "1.0"]);
        assert_eq!(texts(-1e9, 1e9, 3), ["-1.0e9", "0", "1.0e9"]);
        assert!(ticks(1.0, 1.0, 5).is_empty());
        assert!(ticks(f64::MIN, f64::MAX, 5).is_empty());
        assert!(ticks(0.0, f64::MIN_POSITIVE / 8.0, 5).is_empty());
        assert!(ticks(1e16, 1e16 + 4.0, 5).len() <= 5);
    }

    #[test]
    fn numbers_at_the_ends() {
        assert_eq!(short(-0.0), "0");
        let texts = [1400.0, 39.02, 0.123_456, 1234.567, 1.0e-7].map(short);
        assert_eq!(texts, ["1400", "39.02", "0.1235", "1235", "1.000e-7"]);
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.99999), ">99.9 %");
        assert_eq!(count(999), "999");
        assert_eq!(probability(0.0), "<1e-300");
    }
}
