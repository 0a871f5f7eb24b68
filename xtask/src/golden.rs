//! Runs the scripts that make the golden files, so that anyone can see where the numbers come from.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cache;
use crate::run::Runner;

/// Longest one script may take.
const LIMIT: Duration = Duration::from_secs(20 * 60);
const DIRECTORY: &str = "tests/golden";

/// `cargo xtask golden`: runs every `tests/golden/<name>/*.py`, and says which files they changed.
pub(crate) fn make(root: &Path, only: Option<&str>) -> Result<()> {
    let mut scripts = scripts(root)?;
    scripts.retain(|script| only.is_none_or(|wanted| script.to_string_lossy().contains(wanted)));
    if scripts.is_empty() {
        bail!("no script in {DIRECTORY} is meant by that");
    }
    let mut runner = Runner::new();
    for script in &scripts {
        let (name, requirements) = environment(root, script);
        let python = cache::python_environment(&name, &requirements)?;
        runner.step(&script.to_string_lossy(), |step| {
            step.command(Command::new(&python).arg(script).current_dir(root), LIMIT)
        });
    }
    let mut status = Command::new("git");
    status
        .args(["status", "--short", "--", DIRECTORY])
        .current_dir(root);
    let output = status.output().context("cannot run git")?;
    match String::from_utf8_lossy(&output.stdout).trim_end() {
        "" => println!("\nno golden file changed"),
        changed => println!("\nchanged:\n{changed}"),
    }
    runner.finish()
}

/// What a script runs with: the packages listed beside it, or else those that all share.
///
/// Peers pin their own dependencies, so not all of them can be installed together.
fn environment(root: &Path, script: &Path) -> (String, PathBuf) {
    let directory = script.parent().unwrap_or(Path::new(DIRECTORY));
    let own = root.join(directory).join("requirements.txt");
    match directory.file_name() {
        Some(name) if own.is_file() => (format!("golden-{}", name.to_string_lossy()), own),
        _ => (
            "golden".to_owned(),
            root.join(DIRECTORY).join("requirements.txt"),
        ),
    }
}

/// The scripts, in order and relative to the root.
fn scripts(root: &Path) -> Result<Vec<PathBuf>> {
    let mut scripts = Vec::new();
    let directories = fs::read_dir(root.join(DIRECTORY));
    for directory in directories.with_context(|| format!("cannot list {DIRECTORY}"))? {
        let directory = directory?.path();
        if !directory.is_dir() {
            continue;
        }
        for file in fs::read_dir(&directory)? {
            let file = file?.path();
            if file.extension().is_some_and(|extension| extension == "py") {
                scripts.push(file.strip_prefix(root).unwrap_or(&file).to_owned());
            }
        }
    }
    scripts.sort();
    Ok(scripts)
}
