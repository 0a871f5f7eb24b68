//! Integers as text, without allocation.

/// Writes `n` in decimal into `buffer`, which every `i64` fits, and returns the digits.
///
/// ```
/// assert_eq!(driftline_event::decimal(-42, &mut [0; 20]), "-42");
/// ```
pub fn decimal(n: i64, buffer: &mut [u8; 20]) -> &str {
    let mut rest = n.unsigned_abs();
    let mut at = buffer.len();
    loop {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if n < 0 {
        at -= 1;
        buffer[at] = b'-';
    }
    std::str::from_utf8(&buffer[at..]).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn decimals_are_the_usual_ones(value: i64) {
            let mut buffer = [0; 20];
            proptest::prop_assert_eq!(decimal(value, &mut buffer), value.to_string());
        }
    }

    #[test]
    fn writes_the_extremes() {
        for n in [0, 7, -1, 10, i64::MAX, i64::MIN] {
            assert_eq!(decimal(n, &mut [0; 20]), n.to_string());
        }
    }
}
