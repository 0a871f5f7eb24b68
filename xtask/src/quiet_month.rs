//! `cargo xtask bench quiet-month`: months without drift, and the page that shows them.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::check::cargo;
use crate::run::shown;

const PAGE: &str = "docs/quiet_month.md";
const BEGIN: &str = "<!-- tables: written by `cargo xtask bench quiet-month` -->";
const END: &str = "<!-- end of tables -->";

/// What the simulated months depend on: pools of other code are not added to.
const CODE: [&str; 5] = [
    "bench/detect/src/bin/quiet_month",
    "crates/driftline-detect/src",
    "crates/driftline-event/src",
    "crates/driftline-sketch/src",
    "crates/driftline-stat/src",
];

#[derive(Debug, Args)]
pub(crate) struct QuietMonth {
    /// Print the tables instead of writing them into docs/quiet_month.md
    #[arg(long)]
    print: bool,
    /// Options of the benchmark (`--months --pool --scenarios --rates --jobs --minutes`); `-- --help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<String>,
}

/// Simulates, going on from earlier runs of the same code, and writes the tables.
pub(crate) fn run(root: &Path, arguments: &QuietMonth) -> Result<()> {
    let commit = code(root)?;
    let pools = root.join("target/quiet_month").join(&commit);
    let mut simulate = benchmark(root, "run");
    simulate
        .args(["--commit", &commit, "--directory"])
        .arg(&pools);
    simulate.args(&arguments.options);
    let record = output(&mut simulate)?;
    if arguments.options.iter().any(|option| option == "--help") {
        print!("{record}");
        return Ok(());
    }
    let tables = output(benchmark(root, "table").arg(record.trim()))?;
    if arguments.print {
        print!("{tables}");
        return Ok(());
    }
    let path = root.join(PAGE);
    let page = fs::read_to_string(&path).with_context(|| format!("cannot read {PAGE}"))?;
    fs::write(&path, splice(&page, &tables)?).with_context(|| format!("cannot write {PAGE}"))?;
    println!("wrote {PAGE} from {}", record.trim());
    Ok(())
}

fn benchmark(root: &Path, what: &str) -> Command {
    let mut command = cargo(root, &["run", "--release", "--locked"]);
    command.args([
        "--package",
        "driftline-bench-detect",
        "--bin",
        "quiet_month",
        "--",
        what,
    ]);
    command.current_dir(root);
    command
}

/// The commit that last changed what is simulated, and whether more has changed since.
fn code(root: &Path) -> Result<String> {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command
            .args(arguments)
            .arg("--")
            .args(CODE)
            .current_dir(root);
        output(&mut command)
    };
    let commit = git(&["log", "-1", "--format=%h"])?.trim().to_owned();
    let clean = git(&["status", "--porcelain"])?.trim().is_empty();
    Ok(if clean {
        commit
    } else {
        format!("{commit}-dirty")
    })
}

/// What a command prints; its progress goes to this terminal.
fn output(command: &mut Command) -> Result<String> {
    let run = command.stderr(Stdio::inherit()).output();
    let output = run.with_context(|| format!("cannot run `{}`", shown(command)))?;
    if !output.status.success() {
        bail!("`{}` failed ({})", shown(command), output.status);
    }
    String::from_utf8(output.stdout).context("its output is not UTF-8")
}

/// Puts the tables between their marks.
fn splice(page: &str, tables: &str) -> Result<String> {
    let parts = page
        .split_once(BEGIN)
        .and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    ensure!(
        parts.is_some(),
        "{PAGE} has lost the marks `{BEGIN}` and `{END}`"
    );
    let (before, after) = parts.unwrap_or_default();
    Ok(format!(
        "{before}{BEGIN}\n\n{}\n\n{END}{after}",
        tables.trim_end()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_take_the_place_of_tables() {
        let page = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let once = splice(&page, "new\n").expect("the marks are there");
        assert_eq!(once, format!("a\n{BEGIN}\n\nnew\n\n{END}\nb\n"));
        assert_eq!(splice(&once, "new\n").expect("still there"), once);
        assert!(splice("a\n", "new").is_err());
    }

    #[test]
    fn the_page_has_its_marks() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(PAGE);
        let page = fs::read_to_string(root).expect("the page is in the tree");
        assert!(splice(&page, "").is_ok());
    }
}
