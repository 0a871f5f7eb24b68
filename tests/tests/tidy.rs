//! Sizes, remarks and words: what a reviewer should not have to look for.

use std::collections::BTreeMap;

use driftline_tests::{File, crate_directories, tracked_files};

const LINES_MAX: usize = 500;
const RATCHET: &str = include_str!("../ratchet.txt");

/// What is larger than it should be, with the size that it has and may not exceed.
fn ratchet(kind: &str) -> BTreeMap<&'static str, usize> {
    RATCHET
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [of_kind, path, size] = words[..] else {
                panic!("ratchet.txt: cannot read `{line}`")
            };
            (
                of_kind,
                path,
                size.parse()
                    .expect("the third word of a ratchet line is a number"),
            )
        })
        .filter(|(of_kind, _, _)| *of_kind == kind)
        .map(|(_, path, size)| (path, size))
        .collect()
}

/// Compares sizes with the ratchet: nothing new above the limit, nothing old grows, nothing stays listed
/// once it is within the limit.
fn hold(kind: &str, limit: usize, sizes: &BTreeMap<String, usize>) {
    let listed = ratchet(kind);
    for (path, &size) in sizes {
        let allowed = listed.get(path.as_str()).copied().unwrap_or(limit);
        assert!(
            size <= allowed,
            "{path} has {size} {kind}, {allowed} allowed: make it smaller, or say so in tests/ratchet.txt"
        );
    }
    for path in listed.keys() {
        let size = sizes.get(*path).copied().unwrap_or(0);
        assert!(
            size > limit,
            "{path} has {size} {kind}: take it out of tests/ratchet.txt"
        );
    }
}

#[test]
fn files_stay_readable() {
    let sizes = rust_files()
        .into_iter()
        .map(|file| (file.path, file.text.lines().count()))
        .collect();
    hold("lines", LINES_MAX, &sizes);
}

/// Clippy refuses a function of more than 70 lines, and `unwrap` outside tests; what lifts that is
/// counted here.
#[test]
fn lifted_lints_do_not_become_more() {
    let lifted = [
        ("long-functions", concat!("clippy::", "too_many_lines")),
        ("unwraps", concat!("clippy::", "unwrap_used")),
    ];
    for (kind, lint) in lifted {
        let sources = rust_files()
            .into_iter()
            .filter(|file| file.path.contains("/src/"));
        let sizes = sources.map(|file| (file.path, file.text.matches(lint).count()));
        hold(kind, 0, &sizes.collect());
    }
}

#[test]
fn every_package_takes_the_lints_of_the_workspace() {
    let manifests = tracked_files()
        .into_iter()
        .filter(|file| file.path.ends_with("/Cargo.toml"));
    for manifest in manifests {
        let inherits = manifest.text.contains("[lints]\nworkspace = true\n");
        assert!(
            inherits,
            "{} does not take the lints of the workspace",
            manifest.path
        );
    }
}

#[test]
fn every_crate_says_what_it_is_for() {
    let files = tracked_files();
    for directory in crate_directories() {
        let roots: Vec<&File> = ["src/lib.rs", "src/main.rs"]
            .iter()
            .filter_map(|name| {
                files
                    .iter()
                    .find(|file| file.path == format!("{directory}/{name}"))
            })
            .collect();
        assert!(
            !roots.is_empty(),
            "{directory} has neither src/lib.rs nor src/main.rs"
        );
        for root in roots {
            assert!(
                root.text.starts_with("//! "),
                "{} does not begin with its doc",
                root.path
            );
            assert!(
                !root.text.starts_with("//! Placeholder"),
                "{} has no doc yet",
                root.path
            );
        }
    }
}

#[test]
fn what_is_left_to_do_has_an_issue() {
    for file in rust_files() {
        for (number, line) in (1..).zip(file.text.lines()) {
            let Some((_, remark)) = line.split_once("//") else {
                continue;
            };
            for word in [
                concat!("TO", "DO"),
                concat!("FIX", "ME"),
                concat!("XX", "X"),
            ] {
                let with_issue = format!("{word}(#");
                assert!(
                    !remark.contains(word) || remark.contains(&with_issue),
                    "{}:{number}: write {with_issue}N) with the number of its issue",
                    file.path
                );
            }
        }
    }
}

/// The tree must not know where it was written, nor where packages come from: both differ elsewhere.
#[test]
fn no_path_or_host_of_one_workplace() {
    let words = [
        concat!("/wo", "rk/"),
        concat!("../sha", "red"),
        concat!("/tmp/", "plan"),
        concat!("crates", ".io"),
        concat!("pypi", ".org"),
        concat!("pythonhosted", ".org"),
        concat!("npmjs", ".org"),
        concat!("repo1", ".maven"),
        concat!("repo.maven", ".apache"),
        concat!("deb.debian", ".org"),
        concat!("proxy.golang", ".org"),
    ];
    for file in tracked_files() {
        // Cargo and npm write the registry's address into their lock files.
        if file.path.ends_with("Cargo.lock") || file.path.ends_with("package-lock.json") {
            continue;
        }
        for (number, line) in (1..).zip(file.text.lines()) {
            for word in words {
                assert!(!line.contains(word), "{}:{number}: names {word}", file.path);
            }
        }
    }
}

#[test]
fn text_files_end_their_lines_properly() {
    for file in tracked_files() {
        let checked = [".rs", ".toml", ".md", ".yaml", ".yml", ".py", ".sh", "run"];
        if !checked.iter().any(|ending| file.path.ends_with(ending)) || file.text.is_empty() {
            continue;
        }
        assert!(
            file.text.ends_with('\n'),
            "{} does not end with a newline",
            file.path
        );
        assert!(
            !file.text.contains('\r'),
            "{} has carriage returns",
            file.path
        );
        let trailing = (1..)
            .zip(file.text.lines())
            .find(|(_, line)| line.ends_with([' ', '\t']));
        assert!(
            trailing.is_none(),
            "{}: white space at the end of {trailing:?}",
            file.path
        );
    }
}

fn rust_files() -> Vec<File> {
    tracked_files().into_iter().filter(File::is_rust).collect()
}
