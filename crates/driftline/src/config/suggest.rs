//! "Did you mean …?"

/// The name in `known` that `text` is most likely a misspelling of.
pub(crate) fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = plain(text);
    let bound = (wanted.chars().count() / 3).min(4);
    known
        .into_iter()
        .map(|name| (distance(&wanted, &plain(name)), name))
        .filter(|(distance, _)| *distance <= bound)
        .min()
        .map(|(_, name)| name)
}

/// The hint for `text` where only `known` is allowed.
pub(crate) fn hint(text: &str, known: &[&str]) -> String {
    match nearest(text, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("allowed here: {}", known.join(", ")),
    }
}

/// Case and separators are not what people get wrong.
fn plain(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}

/// Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`
/// (optimal string alignment; Damerau 1964).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replace = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replace.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let known = ["threshold", "min_events", "for", "clear", "windows"];
        assert_eq!(nearest("treshold", known), Some("threshold"));
        assert_eq!(nearest("min-events", known), Some("min_events"));
        assert_eq!(nearest("windwos", known), Some("windows"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(hint("brokers", &["a", "b"]), "allowed here: a, b");
    }

    #[test]
    fn counts_edits() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(distance("abcd", "abdc"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
