//! `cargo xtask test` and `cargo xtask lint`: which steps there are, and the steps that are cargo's.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::run::{Runner, Step};
use crate::{cache, deploy, servers};

/// Longest a build with its tests may take; a cold build on two cores needs about a third of it.
const BUILD_LIMIT: Duration = Duration::from_secs(35 * 60);
/// Longest any check without a build may take.
const CHECK_LIMIT: Duration = Duration::from_secs(5 * 60);

/// What a step does with the tree.
type Body = fn(&mut Step, &Path) -> Result<()>;

/// What needs cargo alone.
const HERMETIC: [(&str, Body); 3] = [
    ("format", format),
    ("clippy", clippy),
    ("tests", hermetic_tests),
];
/// What needs a tool or a server besides. In this order: first what fails soonest.
const OUTSIDE: [(&str, Body); 5] = [
    ("licences, bans, sources", dependency_policy),
    ("prometheus rules", deploy::prometheus_rules),
    ("alertmanager", deploy::alertmanager),
    ("compose file", deploy::compose_file),
    ("real servers", servers::tests),
];
/// What can be said about the code without running it.
const LINT: [(&str, Body); 4] = [
    ("format", format),
    ("clippy", clippy),
    ("architecture", architecture),
    ("licences, bans, sources", dependency_policy),
];

/// `cargo xtask test`: everything, or with `quick` what needs cargo alone.
pub(crate) fn test(root: &Path, quick: bool) -> Result<()> {
    let mut runner = Runner::new();
    for (name, body) in HERMETIC {
        runner.step(name, |step| body(step, root));
    }
    for (name, body) in OUTSIDE {
        if quick {
            runner.not_run(name, "left out by --quick");
        } else {
            runner.step(name, |step| body(step, root));
        }
    }
    runner.finish()
}

/// `cargo xtask lint`.
pub(crate) fn lint(root: &Path) -> Result<()> {
    let mut runner = Runner::new();
    for (name, body) in LINT {
        runner.step(name, |step| body(step, root));
    }
    runner.finish()
}

/// A cargo command at the root of the tree.
pub(crate) fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments).current_dir(root);
    command
}

fn format(step: &mut Step, root: &Path) -> Result<()> {
    step.command(
        &mut cargo(root, &["fmt", "--all", "--", "--check"]),
        CHECK_LIMIT,
    )
}

fn clippy(step: &mut Step, root: &Path) -> Result<()> {
    let arguments = [
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--keep-going",
        "--",
        "-D",
        "warnings",
    ];
    step.command(&mut cargo(root, &arguments), BUILD_LIMIT)
}

/// Unit, doc, golden, architecture and embedded-broker tests: all that needs no server.
fn hermetic_tests(step: &mut Step, root: &Path) -> Result<()> {
    let arguments = ["test", "--locked", "--workspace", "--no-fail-fast"];
    step.command(&mut cargo(root, &arguments), BUILD_LIMIT)?;
    if step.tests().passed == 0 {
        bail!("no test ran");
    }
    Ok(())
}

fn architecture(step: &mut Step, root: &Path) -> Result<()> {
    let arguments = [
        "test",
        "--locked",
        "--package",
        "driftline-tests",
        "--no-fail-fast",
    ];
    step.command(&mut cargo(root, &arguments), BUILD_LIMIT)
}

/// Licences, banned crates and sources, by `deny.toml`. Duplicate versions are shown, not refused.
fn dependency_policy(step: &mut Step, root: &Path) -> Result<()> {
    let mut command = Command::new(cache::cargo_deny()?);
    command.args([
        "--log-level",
        "error",
        "check",
        "licenses",
        "bans",
        "sources",
    ]);
    step.command(command.current_dir(root), CHECK_LIMIT)?;
    step.note("advisories are not checked: their database cannot be had everywhere");
    Ok(())
}
