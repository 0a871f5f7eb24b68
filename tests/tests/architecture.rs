//! Who may depend on whom, and what the pure crates may be made of.
//!
//! ARCHITECTURE.md draws the same picture. Change both together, and only for a new dependency set or a
//! new purity boundary.

use std::collections::{BTreeMap, BTreeSet};

use driftline_tests::{DependencyKind, File, Graph, PURE_CRATES, tracked_files};

const EVENT: &str = "driftline-event";
const SKETCH: &str = "driftline-sketch";
const STAT: &str = "driftline-stat";
const DETECT: &str = "driftline-detect";
const ENGINE: &str = "driftline-engine";
const TELEMETRY: &str = "driftline-telemetry";

/// The crates that touch the world or its formats. They know the shared words and not the engine.
const EDGES: [&str; 4] = [
    "driftline-wire",
    "driftline-kafka",
    "driftline-telemetry",
    "driftline-http",
];

/// For each crate, the crates of this workspace that it may be linked with.
fn allowed() -> BTreeMap<&'static str, Vec<&'static str>> {
    BTreeMap::from([
        (EVENT, vec![]),
        (SKETCH, vec![EVENT]),
        (STAT, vec![EVENT, SKETCH]),
        (DETECT, vec![EVENT, SKETCH, STAT]),
        (ENGINE, vec![EVENT, SKETCH, STAT, DETECT]),
        ("driftline-wire", vec![EVENT]),
        ("driftline-kafka", vec![EVENT]),
        (TELEMETRY, vec![EVENT]),
        ("driftline-http", vec![EVENT, TELEMETRY]),
        // It implements the engine's own store of pending predictions.
        ("driftline-store", vec![EVENT, SKETCH, STAT, DETECT, ENGINE]),
        ("driftline-sim", vec![EVENT, SKETCH, STAT, DETECT, ENGINE]),
        (
            "driftline-bench-detect",
            vec![EVENT, SKETCH, STAT, DETECT, ENGINE],
        ),
        ("xtask", vec![]),
    ])
}

/// The packages that may see both sides: the binary, and what only developers run.
const SEE_BOTH_SIDES: [&str; 3] = ["driftline", "driftline-bench", "driftline-tests"];

/// Crates of the world outside that may be linked into a pure crate: arithmetic, serialisation, hashing
/// and error enums, with the macros that these bring along.
const PURE_OUTSIDERS: [&str; 21] = [
    "approx",
    "itoa",
    "libm",
    "memchr",
    "num-traits",
    "proc-macro2",
    "quote",
    "ryu",
    "serde",
    "serde_core",
    "serde_derive",
    "serde_json",
    "statrs",
    "syn",
    "thiserror",
    "thiserror-impl",
    "unicode-ident",
    "xxhash-rust",
    "zerocopy",
    "zerocopy-derive",
    "zmij",
];

/// What does IO or runs threads: never under a pure crate, and never under `driftline-wire`.
const IO_CRATES: [&str; 10] = [
    "tokio",
    "rdkafka",
    "rdkafka-sys",
    "mio",
    "socket2",
    "hyper",
    "ureq",
    "axum",
    "rayon",
    "crossbeam",
];

#[test]
fn every_package_has_its_place_in_the_table() {
    let graph = Graph::load();
    let placed: BTreeSet<&str> = allowed().into_keys().chain(SEE_BOTH_SIDES).collect();
    assert_eq!(
        graph.members(),
        placed,
        "a new package needs its row here and in ARCHITECTURE.md"
    );
}

#[test]
fn dependencies_point_inwards() {
    let graph = Graph::load();
    for (member, allowed) in allowed() {
        for dependency in graph.internal_dependencies(member, DependencyKind::Normal) {
            assert!(
                allowed.contains(&dependency),
                "{member} may not depend on {dependency}"
            );
        }
        assert!(
            graph
                .internal_dependencies(member, DependencyKind::Build)
                .is_empty(),
            "{member} may not need another crate of ours to build"
        );
    }
}

/// Tests may use more than the code, but not so much that an edge and the engine meet in a crate.
#[test]
fn not_even_tests_of_an_edge_see_the_engine() {
    let graph = Graph::load();
    for edge in EDGES {
        let tests = graph.internal_dependencies(edge, DependencyKind::Development);
        assert!(
            !tests.contains(ENGINE),
            "the tests of {edge} may not depend on {ENGINE}"
        );
    }
    for pure in PURE_CRATES {
        for dependency in graph.internal_dependencies(pure, DependencyKind::Development) {
            assert!(
                !EDGES.contains(&dependency),
                "the tests of {pure} may not use {dependency}"
            );
        }
    }
}

#[test]
fn pure_crates_are_made_of_pure_crates() {
    let graph = Graph::load();
    for pure in PURE_CRATES {
        for outsider in graph.linked_outsiders(pure) {
            assert!(
                PURE_OUTSIDERS.contains(&outsider),
                "{outsider} is linked into {pure}; if it has no clock, IO, thread and unseeded \
                 randomness, add it to PURE_OUTSIDERS"
            );
        }
    }
}

#[test]
fn decoding_does_no_io() {
    let graph = Graph::load();
    for member in PURE_CRATES.into_iter().chain(["driftline-wire"]) {
        let linked = graph.linked_outsiders(member);
        for io in IO_CRATES {
            assert!(!linked.contains(io), "{io} is linked into {member}");
        }
    }
}

#[test]
fn pure_crates_name_no_file_socket_or_random_source() {
    for file in sources_of_pure_crates() {
        for (number, line) in file.lines_before_tests() {
            let code = line.split("//").next().unwrap_or(line);
            for banned in [
                "std::fs",
                "std::net",
                "std::process",
                "thread_local!",
                "RandomState",
            ] {
                assert!(
                    !code.contains(banned),
                    "{}:{number}: {banned} in a pure crate",
                    file.path
                );
            }
        }
    }
}

#[test]
fn pure_crates_ban_clocks_and_threads_in_clippy() {
    let root = file("clippy.toml");
    for pure in PURE_CRATES {
        let nested = file(&format!("crates/{pure}/clippy.toml"));
        for setting in root.text.lines().filter(|line| !line.starts_with('#')) {
            assert!(
                nested.text.contains(setting),
                "{} misses `{setting}` of clippy.toml",
                nested.path
            );
        }
        for method in [
            "Instant::now",
            "SystemTime::now",
            "thread::spawn",
            "env::var\"",
        ] {
            assert!(
                nested.text.contains(method),
                "{} does not ban {method}",
                nested.path
            );
        }
        let first = file(&format!("crates/{}/clippy.toml", PURE_CRATES[0]));
        assert_eq!(
            nested.text, first.text,
            "{} and {} differ",
            nested.path, first.path
        );
    }
    for file in sources_of_pure_crates() {
        let lifted = file.lines_before_tests().find(|(_, line)| {
            line.contains("clippy::disallowed_methods") && !line.contains("reason = ")
        });
        assert!(
            lifted.is_none(),
            "{} lifts a ban without a reason: {lifted:?}",
            file.path
        );
    }
}

#[test]
fn pure_crates_document_all_that_is_public() {
    for pure in PURE_CRATES {
        let library = file(&format!("crates/{pure}/src/lib.rs"));
        assert!(
            library.text.contains("#![deny(missing_docs)]"),
            "{}",
            library.path
        );
    }
}

fn sources_of_pure_crates() -> Vec<File> {
    tracked_files()
        .into_iter()
        .filter(|file| {
            file.is_rust()
                && PURE_CRATES
                    .iter()
                    .any(|pure| file.path.starts_with(&format!("crates/{pure}/src/")))
        })
        .collect()
}

fn file(path: &str) -> File {
    tracked_files()
        .into_iter()
        .find(|file| file.path == path)
        .unwrap_or_else(|| panic!("{path} is not there"))
}
