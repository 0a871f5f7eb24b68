//! The checks behind `cargo xtask test` and `cargo xtask lint`, one function per step.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cache::{self, DebianTool};
use crate::kafka;
use crate::run::{Runner, Step};

/// Longest a build with its tests may take; a cold build on two cores needs about a third of it.
const BUILD_LIMIT: Duration = Duration::from_secs(35 * 60);
/// Longest any check without a build may take.
const CHECK_LIMIT: Duration = Duration::from_secs(5 * 60);
/// Longest the tests against real servers may take, once built.
const SERVERS_LIMIT: Duration = Duration::from_secs(15 * 60);

/// What validates a compose file: the schema of the Compose specification.
const COMPOSE_SPEC_CHECK: &str = "\
import sys, compose_spec
compose_spec.PyCompose.from_yaml(open(sys.argv[1], encoding='utf-8').read()).validate()";

/// What a step does with the tree.
type Body = fn(&mut Step, &Path) -> Result<()>;

/// `cargo xtask test`: everything, or with `quick` the part that needs no server and no tool.
pub(crate) fn test(root: &Path, quick: bool) -> Result<()> {
    let mut runner = Runner::new();
    runner.step("format", |step| format(step, root));
    runner.step("clippy", |step| clippy(step, root));
    runner.step("tests", |step| hermetic_tests(step, root));
    let outside: [(&str, Body); 5] = [
        ("licences, bans, sources", dependency_policy),
        ("prometheus rules", prometheus_rules),
        ("alertmanager", alertmanager_config),
        ("compose file", compose_file),
        ("real servers", server_tests),
    ];
    for (name, body) in outside {
        if quick {
            runner.not_run(name, "left out by --quick");
        } else {
            runner.step(name, |step| body(step, root));
        }
    }
    runner.finish()
}

/// `cargo xtask lint`: what can be said about the code without running it.
pub(crate) fn lint(root: &Path) -> Result<()> {
    let mut runner = Runner::new();
    runner.step("format", |step| format(step, root));
    runner.step("clippy", |step| clippy(step, root));
    runner.step("architecture", |step| {
        step.command(
            &mut cargo(root, &["test", "--locked", "-p", "driftline-tests"]),
            BUILD_LIMIT,
        )
    });
    runner.step("licences, bans, sources", |step| {
        dependency_policy(step, root)
    });
    runner.finish()
}

/// `cargo xtask compose`: the compose file and what it mounts.
pub(crate) fn compose(root: &Path) -> Result<()> {
    let mut runner = Runner::new();
    runner.step("compose file", |step| compose_file(step, root));
    runner.step("prometheus rules", |step| prometheus_rules(step, root));
    runner.step("alertmanager", |step| alertmanager_config(step, root));
    runner.finish()
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

fn dependency_policy(step: &mut Step, root: &Path) -> Result<()> {
    let cargo_deny = cache::cargo_deny()?;
    step.note("advisories need the RustSec database and are not checked here");
    let mut command = Command::new(cargo_deny);
    command
        .args([
            "--log-level",
            "error",
            "check",
            "licenses",
            "bans",
            "sources",
        ])
        .current_dir(root);
    step.command(&mut command, CHECK_LIMIT)
}

/// Rule files, Prometheus configurations and rule tests under `deploy/prometheus`.
fn prometheus_rules(step: &mut Step, root: &Path) -> Result<()> {
    let promtool = DebianTool::PROMTOOL.path()?;
    let directory = root.join("deploy/prometheus");
    let (mut rules, mut configurations) = (Vec::new(), Vec::new());
    for file in yaml_files(&directory)? {
        let text = fs::read_to_string(&file)?;
        if text.lines().any(|line| line.starts_with("groups:")) {
            rules.push(file);
        } else if text.lines().any(|line| line.starts_with("scrape_configs:")) {
            configurations.push(file);
        } else {
            bail!(
                "{} is neither a rule file nor a configuration",
                file.display()
            );
        }
    }
    let tests = yaml_files(&directory.join("tests"))?;
    if rules.is_empty() || tests.is_empty() {
        bail!(
            "deploy/prometheus has {} rule files and {} rule tests",
            rules.len(),
            tests.len()
        );
    }
    for (subject, files) in [
        (["check", "rules"], &rules),
        (["check", "config"], &configurations),
        (["test", "rules"], &tests),
    ] {
        if !files.is_empty() {
            let mut command = Command::new(&promtool);
            step.command(
                command.args(subject).args(files).current_dir(root),
                CHECK_LIMIT,
            )?;
        }
    }
    Ok(())
}

fn alertmanager_config(step: &mut Step, root: &Path) -> Result<()> {
    let files = yaml_files(&root.join("deploy/alertmanager"))?;
    if files.is_empty() {
        bail!("deploy/alertmanager has no configuration");
    }
    let mut command = Command::new(DebianTool::AMTOOL.path()?);
    step.command(
        command.arg("check-config").args(files).current_dir(root),
        CHECK_LIMIT,
    )
}

/// Two checkers, because each finds what the other does not: one knows the whole schema and gives line
/// and column, the other finds a service that depends on one that is not there.
fn compose_file(step: &mut Step, root: &Path) -> Result<()> {
    let file = root.join("docker-compose.yml");
    let python = tools_python(root)?;
    let mut schema = Command::new(&python);
    step.command(
        schema.args(["-c", COMPOSE_SPEC_CHECK]).arg(&file),
        CHECK_LIMIT,
    )?;
    let mut compose = Command::new(DebianTool::DOCKER_COMPOSE.path()?);
    step.command(
        compose
            .arg("-f")
            .arg(&file)
            .args(["config", "-q"])
            .current_dir(root),
        CHECK_LIMIT,
    )?;
    for mounted in mounted_paths(&fs::read_to_string(&file)?) {
        if !root.join(&mounted).exists() {
            bail!("docker-compose.yml mounts {mounted}, which is not there");
        }
    }
    Ok(())
}

/// The paths of the tree that a compose file mounts: `- ./path:/where[:ro]`.
fn mounted_paths(compose: &str) -> Vec<String> {
    compose
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- ./")?.split_once(':'))
        .map(|(path, _)| path.to_owned())
        .collect()
}

/// The tests marked `#[ignore = "needs a real broker: cargo xtask test"]`, with a broker, a Prometheus
/// and clients that nobody here wrote.
fn server_tests(step: &mut Step, root: &Path) -> Result<()> {
    let python = tools_python(root)?;
    let kcat = DebianTool::KCAT.path()?;
    let prometheus = DebianTool::PROMETHEUS.path()?;
    let promtool = DebianTool::PROMTOOL.path()?;
    for (program, package) in kafka::missing_tools() {
        cache::install_debian(program, package)?;
    }
    let cluster = Cluster::up()?;
    // Not --all-targets and no doc tests: `--ignored` would run code blocks that are marked `ignore`.
    let arguments = [
        "test",
        "--locked",
        "--workspace",
        "--no-fail-fast",
        "--tests",
        "--",
        "--ignored",
    ];
    let mut command = cargo(root, &arguments);
    command
        .env("DRIFTLINE_KAFKA", &cluster.bootstrap)
        .env("DRIFTLINE_KCAT", kcat)
        .env("DRIFTLINE_PYTHON", python)
        .env("DRIFTLINE_PROMETHEUS", prometheus)
        .env("DRIFTLINE_PROMTOOL", promtool);
    step.command(&mut command, SERVERS_LIMIT)?;
    if step.tests().passed == 0 {
        bail!("Kafka was up, but no test used it");
    }
    Ok(())
}

/// A Kafka cluster for the tests. One that was up before stays up; one that was started for the tests is
/// stopped however they end.
struct Cluster {
    bootstrap: String,
    is_ours: bool,
}

impl Cluster {
    fn up() -> Result<Self> {
        let is_ours = !kafka::status()?
            .is_some_and(|handle| handle.brokers.iter().all(|broker| broker.is_alive()));
        let handle = if is_ours {
            kafka::up(1).context("Kafka did not start")?
        } else {
            kafka::status()?.context("Kafka was stopped meanwhile")?
        };
        Ok(Self {
            bootstrap: handle.bootstrap,
            is_ours,
        })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.is_ours
            && let Err(error) = kafka::down()
        {
            eprintln!("could not stop Kafka: {error:#}");
        }
    }
}

/// The tools that the checks fetch.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Tool {
    Prometheus,
    Promtool,
    Alertmanager,
    Amtool,
    Kcat,
    DockerCompose,
    CargoDeny,
    Python,
}

/// `cargo xtask tool`: the path of a tool, fetched first when it is nowhere.
pub(crate) fn tool(root: &Path, tool: Tool) -> Result<()> {
    let path = match tool {
        Tool::Prometheus => DebianTool::PROMETHEUS.path(),
        Tool::Promtool => DebianTool::PROMTOOL.path(),
        Tool::Alertmanager => DebianTool::ALERTMANAGER.path(),
        Tool::Amtool => DebianTool::AMTOOL.path(),
        Tool::Kcat => DebianTool::KCAT.path(),
        Tool::DockerCompose => DebianTool::DOCKER_COMPOSE.path(),
        Tool::CargoDeny => cache::cargo_deny(),
        Tool::Python => tools_python(root),
    }?;
    println!("{}", path.display());
    Ok(())
}

/// `cargo xtask golden`: runs the scripts that make the golden files, and says which files they changed.
pub(crate) fn golden(root: &Path, only: Option<&str>) -> Result<()> {
    let requirements = root.join("tests/golden/requirements.txt");
    let python = cache::python_environment("golden", &requirements)?;
    let mut runner = Runner::new();
    for script in golden_scripts(root)? {
        let name = script
            .strip_prefix(root)
            .unwrap_or(&script)
            .display()
            .to_string();
        if only.is_some_and(|wanted| !name.contains(wanted)) {
            continue;
        }
        let directory = script.parent().unwrap_or(root);
        runner.step(&name, |step| {
            let mut command = Command::new(&python);
            step.command(command.arg(&script).current_dir(directory), BUILD_LIMIT)
        });
    }
    let mut status = Command::new("git");
    status
        .args(["status", "--short", "--", "tests/golden"])
        .current_dir(root);
    let changed = status
        .output()
        .map(|output| output.stdout)
        .unwrap_or_default();
    if changed.is_empty() {
        println!("\nno golden file changed");
    } else {
        println!(
            "\nchanged:\n{}",
            String::from_utf8_lossy(&changed).trim_end()
        );
    }
    runner.finish()
}

/// Every `tests/golden/<name>/*.py`, in order.
fn golden_scripts(root: &Path) -> Result<Vec<PathBuf>> {
    let mut scripts = Vec::new();
    for directory in sorted_entries(&root.join("tests/golden"))? {
        if directory.is_dir() {
            scripts.extend(
                sorted_entries(&directory)?
                    .into_iter()
                    .filter(|file| file.extension().is_some_and(|extension| extension == "py")),
            );
        }
    }
    Ok(scripts)
}

/// The interpreter with the clients and checkers that the tests use.
fn tools_python(root: &Path) -> Result<PathBuf> {
    cache::python_environment("tools", &root.join("xtask/requirements.txt"))
}

/// A cargo command at the root of the tree: the cargo that runs this program.
fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments).current_dir(root);
    command
}

/// The YAML files directly in a directory, in order; none when there is no such directory.
fn yaml_files(directory: &Path) -> Result<Vec<PathBuf>> {
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let is_yaml = |file: &PathBuf| {
        file.extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml")
    };
    Ok(sorted_entries(directory)?
        .into_iter()
        .filter(is_yaml)
        .collect())
}

fn sorted_entries(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut entries = Vec::new();
    for entry in
        fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))?
    {
        entries.push(entry?.path());
    }
    entries.sort();
    Ok(entries)
}
