//! Checks of what an operator runs: compose file, Prometheus rules, Alertmanager routes. Nothing is
//! started; the checkers are those of the products themselves.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cache::{self, DebianTool};
use crate::run::{Runner, Step};

/// Longest one of these checks may take.
const LIMIT: Duration = Duration::from_secs(5 * 60);
const COMPOSE_FILE: &str = "docker-compose.yml";

/// `cargo xtask compose`: the compose file and what it mounts.
pub(crate) fn check(root: &Path) -> Result<()> {
    let mut runner = Runner::new();
    runner.step("compose file", |step| compose_file(step, root));
    runner.step("prometheus rules", |step| prometheus_rules(step, root));
    runner.step("alertmanager", |step| alertmanager(step, root));
    runner.finish()
}

/// Rule files, Prometheus configurations and rule tests under `deploy/prometheus`.
pub(crate) fn prometheus_rules(step: &mut Step, root: &Path) -> Result<()> {
    let promtool = DebianTool::PROMTOOL.path()?;
    let (mut rules, mut configurations) = (Vec::new(), Vec::new());
    for file in yaml_files(root, "deploy/prometheus")? {
        let text = fs::read_to_string(root.join(&file))?;
        if text.lines().any(|line| line.starts_with("groups:")) {
            rules.push(file);
        } else if text.lines().any(|line| line.starts_with("scrape_configs:")) {
            configurations.push(file);
        } else {
            bail!("{file} is neither a rule file nor a configuration");
        }
    }
    let tests = yaml_files(root, "deploy/prometheus/tests")?;
    if rules.is_empty() || tests.is_empty() {
        bail!("{} rule files, {} rule tests", rules.len(), tests.len());
    }
    let checks = [
        (["check", "rules"], rules),
        (["check", "config"], configurations),
        (["test", "rules"], tests),
    ];
    for (subject, files) in checks.iter().filter(|(_, files)| !files.is_empty()) {
        let mut command = Command::new(&promtool);
        command.args(subject).args(files).current_dir(root);
        step.command(&mut command, LIMIT)?;
    }
    Ok(())
}

/// The routes and receivers under `deploy/alertmanager`.
pub(crate) fn alertmanager(step: &mut Step, root: &Path) -> Result<()> {
    let files = yaml_files(root, "deploy/alertmanager")?;
    if files.is_empty() {
        bail!("deploy/alertmanager has no configuration");
    }
    let mut command = Command::new(DebianTool::AMTOOL.path()?);
    command.arg("check-config").args(files).current_dir(root);
    step.command(&mut command, LIMIT)
}

/// Two checkers, because each finds what the other does not: one knows the whole schema and gives line
/// and column, the other finds a service that depends on one that is not there.
pub(crate) fn compose_file(step: &mut Step, root: &Path) -> Result<()> {
    let mut schema = Command::new(cache::tools_python(root)?);
    schema.args(["xtask/check_compose.py", COMPOSE_FILE]);
    step.command(schema.current_dir(root), LIMIT)?;
    let mut compose = Command::new(DebianTool::DOCKER_COMPOSE.path()?);
    compose.args(["-f", COMPOSE_FILE, "config", "-q"]);
    step.command(compose.current_dir(root), LIMIT)?;
    for mounted in mounted_paths(&fs::read_to_string(root.join(COMPOSE_FILE))?) {
        if !root.join(mounted).exists() {
            bail!("{COMPOSE_FILE} mounts {mounted}, which is not there");
        }
    }
    step.note("checked, not run");
    Ok(())
}

/// The paths of the tree that a compose file mounts: `- ./path:/where[:ro]`.
fn mounted_paths(compose: &str) -> Vec<&str> {
    let mounts = compose
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- ./")?.split_once(':'));
    mounts.map(|(path, _)| path).collect()
}

/// The YAML files directly in a directory, in order and relative to the root; none when there is no such
/// directory.
fn yaml_files(root: &Path, directory: &str) -> Result<Vec<String>> {
    let mut files = Vec::new();
    if !root.join(directory).is_dir() {
        return Ok(files);
    }
    let entries = fs::read_dir(root.join(directory));
    for entry in entries.with_context(|| format!("cannot list {directory}"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".yaml") || name.ends_with(".yml") {
            files.push(format!("{directory}/{name}"));
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_compose_file_mounts() {
        let compose = "volumes:\n  - ./deploy/x:/etc/x:ro\n  - data:/data\n  - \"127.0.0.1:1:1\"\n";
        assert_eq!(mounted_paths(compose), ["deploy/x"]);
    }
}
