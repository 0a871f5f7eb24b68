//! The tokens of JSON, read off a slice.

use crate::reject::Fault;

/// Skips white space.
#[inline(always)]
pub(super) fn space(rest: &[u8]) -> &[u8] {
    match rest {
        [..=b' ', ..] => some_space(rest),
        _ => rest,
    }
}

#[inline(never)]
fn some_space(mut rest: &[u8]) -> &[u8] {
    while let [b' ' | b'\n' | b'\t' | b'\r', after @ ..] = rest {
        rest = after;
    }
    rest
}

const ONES: u64 = 0x0101_0101_0101_0101;

/// Marks, in the highest bit of its byte, the first byte of `word` that is a quotation mark, a backslash or
/// a control character. Bytes behind that one may be marked wrongly.
#[inline(always)]
fn marks(word: u64) -> u64 {
    let below = |bound: u8, word: u64| word.wrapping_sub(ONES * u64::from(bound)) & !word;
    let quote = below(1, word ^ (ONES * u64::from(b'"')));
    let backslash = below(1, word ^ (ONES * u64::from(b'\\')));
    (quote | backslash | below(b' ', word)) & (ONES << 7)
}

/// How many bytes of `text` come before its first quotation mark, backslash or control character.
#[inline(always)]
pub(super) fn plain(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk) {
        let marks = marks(u64::from_le_bytes(*chunk));
        if marks != 0 {
            return at + marks.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | ..b' ');
    let tail = text.get(at..).unwrap_or(&[]);
    at + tail.iter().position(ends).unwrap_or(tail.len())
}

/// Reads a string, from behind its opening quotation mark, into `into`. Gives what follows it.
#[inline(never)]
pub(super) fn unescape<'m>(mut rest: &'m [u8], into: &mut String) -> Result<&'m [u8], Fault> {
    into.clear();
    loop {
        let (text, after) = rest.split_at(plain(rest));
        into.push_str(std::str::from_utf8(text).map_err(|_| Fault::BadText)?);
        rest = match after {
            [b'"', after @ ..] => return Ok(after),
            [b'\\', b'u', after @ ..] => {
                let (c, after) = escaped_unit(after)?;
                into.push(c);
                after
            }
            [b'\\', letter, after @ ..] => {
                into.push(match letter {
                    b'"' | b'\\' | b'/' => char::from(*letter),
                    b'b' => '\u{8}',
                    b'f' => '\u{c}',
                    b'n' => '\n',
                    b'r' => '\r',
                    b't' => '\t',
                    _ => return Err(Fault::NotJson),
                });
                after
            }
            _ => return Err(Fault::NotJson),
        };
    }
}

/// The character whose one or two UTF-16 units stand behind the first `\u`.
fn escaped_unit(rest: &[u8]) -> Result<(char, &[u8]), Fault> {
    let (first, mut rest) = hex(rest)?;
    let mut code = first;
    if (0xd800..0xdc00).contains(&first) {
        let [b'\\', b'u', after @ ..] = rest else {
            return Err(Fault::NotJson);
        };
        let (second, after) = hex(after)?;
        if !(0xdc00..0xe000).contains(&second) {
            return Err(Fault::NotJson);
        }
        rest = after;
        code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    }
    Ok((char::from_u32(code).ok_or(Fault::NotJson)?, rest))
}

fn hex(rest: &[u8]) -> Result<(u32, &[u8]), Fault> {
    let (digits, rest) = rest.split_first_chunk::<4>().ok_or(Fault::NotJson)?;
    let mut code = 0;
    for &digit in digits {
        let digit = char::from(digit).to_digit(16).ok_or(Fault::NotJson)?;
        code = code * 16 + digit;
    }
    Ok((code, rest))
}

/// A number of the document, in a form that fits registers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number {
    bits: u64,
    double: bool,
}

impl Number {
    #[inline(always)]
    fn of_double(x: f64) -> Self {
        Self {
            bits: x.to_bits(),
            double: true,
        }
    }

    #[inline(always)]
    fn of_long(n: i64) -> Self {
        Self {
            bits: n.cast_unsigned(),
            double: false,
        }
    }

    /// The number as an integer, or else as a double.
    #[inline(always)]
    pub(super) fn get(self) -> Result<i64, f64> {
        if self.double {
            Err(f64::from_bits(self.bits))
        } else {
            Ok(self.bits.cast_signed())
        }
    }
}

/// Powers of ten that a double holds exactly.
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];
/// Up to here a double holds every integer.
const EXACT_MAX: u64 = 1 << 53;

#[inline(always)]
fn digits<'m>(mut rest: &'m [u8], mantissa: &mut u64) -> (usize, &'m [u8]) {
    let before = rest.len();
    while let [digit @ b'0'..=b'9', after @ ..] = rest {
        *mantissa = mantissa
            .wrapping_mul(10)
            .wrapping_add(u64::from(digit - b'0'));
        rest = after;
    }
    (before - rest.len(), rest)
}

/// Reads a number, which `from` begins with, and gives what follows it.
///
/// A number of few digits is its digits times or by a power of ten, both of which a double holds exactly, so
/// that their one rounding is the right one. The standard library reads all others.
#[inline(always)]
pub(super) fn number(from: &[u8]) -> Result<(Number, &[u8]), Fault> {
    let (negative, unsigned) = match from {
        [b'-', unsigned @ ..] => (true, unsigned),
        unsigned => (false, unsigned),
    };
    let mut mantissa = 0;
    let (whole, rest) = digits(unsigned, &mut mantissa);
    if whole == 0 || (whole > 1 && unsigned.first() == Some(&b'0')) {
        return Err(Fault::NotJson);
    }
    let (fraction, rest) = match rest {
        [b'.', rest @ ..] => match digits(rest, &mut mantissa) {
            (0, _) => return Err(Fault::NotJson),
            read => read,
        },
        [b'e' | b'E', ..] => (0, rest),
        // Any 18 digits fit.
        _ if whole <= 18 && (mantissa != 0 || !negative) => {
            let n = mantissa.cast_signed();
            return Ok((Number::of_long(if negative { -n } else { n }), rest));
        }
        _ => return long_number(from),
    };
    if let [b'e' | b'E', ..] = rest {
        return long_number(from);
    }
    match TENS.get(fraction) {
        Some(ten) if whole + fraction <= 19 && mantissa <= EXACT_MAX => {
            let x = mantissa as f64 / ten;
            Ok((Number::of_double(if negative { -x } else { x }), rest))
        }
        _ => long_number(from),
    }
}

/// Reads any number.
#[inline(never)]
fn long_number(from: &[u8]) -> Result<(Number, &[u8]), Fault> {
    let skip = |rest| digits(rest, &mut 0);
    let (_, mut rest) = skip(from.strip_prefix(b"-").unwrap_or(from));
    let mut integer = true;
    if let [b'.', after @ ..] = rest {
        integer = false;
        rest = skip(after).1;
    }
    if let [b'e' | b'E', after @ ..] = rest {
        integer = false;
        let after = match after {
            [b'+' | b'-', after @ ..] => after,
            after => after,
        };
        rest = match skip(after) {
            (0, _) => return Err(Fault::NotJson),
            (_, rest) => rest,
        };
    }
    let text = from.get(..from.len() - rest.len()).unwrap_or(from);
    let text = std::str::from_utf8(text).map_err(|_| Fault::NotJson)?;
    // There is no negative zero among the integers.
    if integer
        && text != "-0"
        && let Ok(n) = text.parse()
    {
        return Ok((Number::of_long(n), rest));
    }
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() => Ok((Number::of_double(x), rest)),
        _ => Err(Fault::NotJson),
    }
}
