//! Text that is safe between tags and in quoted attributes.

use std::fmt;

/// The longest text that is shown in full: a sentence about a column with a long name.
const TEXT_BYTES_MAX: usize = 1_024;

/// Shows a text with everything escaped that HTML reads as more than text.
///
/// Control characters, and those that hide text or turn its direction, are shown as their code.
pub(crate) struct Text<'a>(pub(crate) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for c in driftline_telemetry::short_text(self.0, TEXT_BYTES_MAX).chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_stays_text() {
        let name = "<script>alert('x')</script>\" onload=\"x\u{202e}&\0";
        let shown = Text(name).to_string();
        assert!(
            !shown.contains(['<', '>', '"', '\'', '\0', '\u{202e}']),
            "{shown}"
        );
        assert!(
            shown.starts_with("&lt;script&gt;alert(&#39;x&#39;)"),
            "{shown}"
        );
    }
}
