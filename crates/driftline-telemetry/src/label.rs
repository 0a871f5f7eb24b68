//! Label values from hostile data.

use std::borrow::Cow;

/// The longest label value in bytes.
pub const LABEL_BYTES_MAX: usize = 128;

/// The feature that stands for all features over the budget.
pub const OTHER: &str = "__other__";

/// `text` as a label value: control and bidirectional-formatting characters escaped, at most
/// [`LABEL_BYTES_MAX`] bytes.
///
/// A longer text is cut and ends in `~` and a hash of the whole, so two long names stay two labels.
/// ```
/// use driftline_telemetry::label_value;
/// assert_eq!(label_value("age"), "age");
/// assert_eq!(label_value("a\nb"), "a\\u{a}b");
/// assert!(label_value(&"x".repeat(1_000)).len() <= 128);
/// ```
pub fn label_value(text: &str) -> Cow<'_, str> {
    short_text(text, LABEL_BYTES_MAX)
}

/// The same for any text that is shown to people, with a bound of its own of at least 32 bytes.
pub fn short_text(text: &str, bytes_max: usize) -> Cow<'_, str> {
    let bytes_max = bytes_max.max(32);
    if text.len() <= bytes_max && !text.chars().any(must_escape) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(bytes_max);
    let hash = format!("~{:016x}", fnv1a(text.as_bytes()));
    let mut cut = 0;
    for c in text.chars() {
        if must_escape(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
        if out.len() <= bytes_max - hash.len() {
            cut = out.len();
        }
        if out.len() > bytes_max {
            out.truncate(cut);
            out.push_str(&hash);
            break;
        }
    }
    Cow::Owned(out)
}

/// Characters that would break a line, hide text or turn its direction in a terminal or a page.
fn must_escape(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// FNV-1a with 64 bits: stable over releases and platforms; not meant to resist an attacker, who gains
/// nothing from two of his own labels being merged.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn long_names_that_differ_at_the_end_stay_apart() {
        let (a, b) = (
            format!("{}a", "x".repeat(300)),
            format!("{}b", "x".repeat(300)),
        );
        assert_ne!(label_value(&a), label_value(&b));
    }

    proptest! {
        #[test]
        fn any_text_becomes_a_short_printable_line(text in "\\PC{0,200}|(?s:.{0,200})") {
            let label = label_value(&text);
            prop_assert!(label.len() <= LABEL_BYTES_MAX);
            prop_assert!(!label.chars().any(must_escape));
        }
    }
}
