//! The page: well formed, escaped, bounded.

use std::fmt::Write as _;

use super::{Scratch, feature, noise, rows};

/// Checks that elements nest and close, that attributes are quoted, and that no `<`, `>` or stray `&` is text.
pub(crate) fn well_formed(page: &str) {
    let mut rest = page
        .strip_prefix("<!DOCTYPE html>")
        .expect("it has a document type");
    let mut open: Vec<&str> = Vec::new();
    let mut ids: Vec<&str> = Vec::new();
    while let Some(at) = rest.find('<') {
        let (text, tag) = rest.split_at(at);
        let css = open.last() == Some(&"style");
        assert!(css || !text.contains('>'), "{text}");
        let entities = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"];
        for (i, _) in text.match_indices('&') {
            assert!(entities.iter().any(|e| text[i..].starts_with(e)), "{text}");
        }
        let end = tag.find('>').expect("a tag ends");
        let (inside, after) = (&tag[1..end], &tag[end + 1..]);
        rest = after;
        if let Some(name) = inside.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "elements nest");
            continue;
        }
        let empty = inside.ends_with('/');
        let inside = inside.trim_end_matches('/');
        let (name, attributes) = inside.split_once(' ').unwrap_or((inside, ""));
        assert!(
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric()),
            "{name}"
        );
        assert_eq!(attributes.matches('"').count() % 2, 0, "{attributes}");
        for part in attributes.split("\" ").filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once("=\"").expect("attributes are quoted");
            assert!(
                key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'),
                "{key}"
            );
            assert!(
                !key.starts_with("on") && !matches!(key, "src" | "style"),
                "{key}"
            );
            if key == "id" {
                ids.push(value.trim_end_matches('"'));
            }
        }
        assert!(
            !matches!(name, "script" | "link" | "img" | "iframe" | "object"),
            "{name}"
        );
        if !empty {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "ids are unique");
}

#[test]
fn a_page_is_well_formed_and_accessible() {
    let scratch = Scratch::with("page", &rows(1, 600, false), &rows(2, 400, true));
    let page = scratch.page();
    well_formed(&page);
    for part in [
        "<html lang=\"en\">",
        "<meta charset=\"utf-8\"/>",
        "default-src &#39;none&#39;",
        "prefers-color-scheme: dark",
        "@media print",
        "<h1>3 of 4 columns have drifted.</h1>",
        "<th scope=\"col\">Verdict</th>",
        "role=\"img\" aria-labelledby=\"c0-",
        "New</b> (",
        "<h2>How this was judged</h2>",
        "Kolmogorov–Smirnov (ks)",
    ] {
        assert!(page.contains(part), "missing: {part}");
    }
    for request in ["http://", "https://", "url(", "@import"] {
        assert!(!page.contains(request), "{request}");
    }
    // Each picture says what it shows.
    assert_eq!(
        page.matches("role=\"img\"").count(),
        page.matches("<desc id=").count()
    );
    assert_eq!(scratch.page(), page, "same files, same bytes");
}

#[test]
fn hostile_names_stay_text() {
    let names = [
        "<script>alert(1)</script>",
        "\u{1b}[31mred\u{1b}[2J",
        "\"\" onload=\"\"x",
        "\u{202e}txet",
        "&lt;",
    ];
    let quoted: Vec<String> = names.iter().map(|n| format!("\"{n}\"")).collect();
    let file = |shift: u64| {
        let mut text = quoted.join(",") + "\n";
        for i in 0..60 {
            let name = names[(i % 5) as usize];
            let _ = writeln!(
                text,
                "{},{},\"{name}\",\"<b>{}</b>\",{}",
                i + shift,
                i,
                i % 3,
                i
            );
        }
        text
    };
    let scratch = Scratch::with("hostile", &file(0), &file(40));
    for arguments in [["--detail"].as_slice(), &[], &["--format", "html"]] {
        let run = scratch.compare(arguments);
        assert_eq!(run.code, 0, "{}", run.err);
        assert!(
            !run.out.contains(['\u{1b}', '\u{202e}']),
            "{arguments:?}: {}",
            run.out
        );
    }
    let page = scratch.page();
    well_formed(&page);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(page.contains("&lt;b&gt;1&lt;/b&gt;"));
    // JSON keeps names as they are.
    let comparison = scratch.json(&[]);
    assert_eq!(feature(&comparison, names[0])["kind"], "numeric");
    let run = scratch.compare(&["--columns", "\u{1b}[31mred"]);
    assert_eq!(run.code, 65);
}

#[test]
fn a_hundred_columns_are_less_than_a_megabyte() {
    let file = |seed: u64| {
        let names: Vec<String> = (0..100).map(|c| format!("feature_{c:03}")).collect();
        let mut text = names.join(",") + "\n";
        for i in 0..300 {
            for c in 0..100 {
                let x = noise(seed * 1_000_000 + i * 100 + c);
                let comma = if c == 0 { "" } else { "," };
                let _ = if c % 4 == 0 {
                    write!(text, "{comma}category number {}", (x * x * 40.0) as u32)
                } else {
                    write!(text, "{comma}{}", x * 1e6 - 5e5)
                };
            }
            text.push('\n');
        }
        text
    };
    let scratch = Scratch::with("hundred", &file(1), &file(2));
    let page = scratch.page();
    well_formed(&page);
    assert_eq!(page.matches("<section ").count(), 100);
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
}

#[test]
fn output_is_bounded_whatever_the_files_hold() {
    let file = |from: u32| {
        let mut text = String::from("id_like,long\n");
        for i in from..from + 6_000 {
            let _ = writeln!(text, "u{i:07},{}{}", "x".repeat(300), i % 7);
        }
        text
    };
    let scratch = Scratch::with("bounded", &file(0), &file(6_000));
    let page = scratch.page();
    well_formed(&page);
    assert!(page.len() < 60_000, "{} bytes", page.len());
    assert!(
        page.contains("5\u{202f}992 more"),
        "new categories are counted, not listed"
    );
    let comparison = scratch.json(&[]);
    assert_eq!(feature(&comparison, "id_like")["verdict"], "drifted");
    assert_eq!(feature(&comparison, "id_like")["categories"]["new"], 6_000);
    assert_eq!(feature(&comparison, "long")["verdict"], "stable");

    // Many columns: a bounded table in the terminal, a bounded page.
    let wide = |x: u32| {
        let names: Vec<String> = (0..1_500).map(|c| format!("c{c}")).collect();
        let values: Vec<String> = (0..1_500).map(|c| (c + x).to_string()).collect();
        format!(
            "{}\n{}\n{}\n",
            names.join(","),
            values.join(","),
            values.join(",")
        )
    };
    let scratch = Scratch::with("wide", &wide(0), &wide(1));
    let run = scratch.compare(&[]);
    assert!(
        run.out.lines().count() < 220,
        "{} lines",
        run.out.lines().count()
    );
    assert!(
        run.out.contains("and 1488 more"),
        "names are listed up to a bound"
    );
    let page = scratch.page();
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
}
