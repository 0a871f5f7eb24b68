//! The tests that need a real server: a Kafka cluster, a Prometheus, and clients that nobody here wrote.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cache::{self, DebianTool};
use crate::check::cargo;
use crate::kafka::{self, KafkaHandle};
use crate::run::Step;

/// Longest these tests may take; the binaries are built by then.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// Runs the tests marked `#[ignore = "needs a real broker: cargo xtask test"]`.
pub(crate) fn tests(step: &mut Step, root: &Path) -> Result<()> {
    let python = cache::tools_python(root)?;
    let kcat = DebianTool::KCAT.path()?;
    let prometheus = DebianTool::PROMETHEUS.path()?;
    let promtool = DebianTool::PROMTOOL.path()?;
    let cluster = Cluster::up()?;
    step.note(format!("Apache Kafka {}", cluster.handle.version));
    // Not --all-targets, and no doc tests: `--ignored` would run code blocks that are marked `ignore`.
    let mut command = cargo(root, &["test", "--locked", "--workspace", "--no-fail-fast"]);
    command
        .args(["--tests", "--", "--ignored"])
        .env("DRIFTLINE_KAFKA", &cluster.handle.bootstrap)
        .env("DRIFTLINE_KCAT", kcat)
        .env("DRIFTLINE_PYTHON", python)
        .env("DRIFTLINE_PROMETHEUS", prometheus)
        .env("DRIFTLINE_PROMTOOL", promtool);
    step.command(&mut command, LIMIT)?;
    if step.tests().passed == 0 {
        bail!("Kafka was up, but no test used it");
    }
    Ok(())
}

/// A Kafka cluster for tests and benchmarks. One that was up before stays up; one that was started for them
/// is stopped however they end.
pub(crate) struct Cluster {
    pub(crate) handle: KafkaHandle,
    is_ours: bool,
}

impl Cluster {
    pub(crate) fn up() -> Result<Self> {
        for (program, package) in kafka::missing_tools() {
            cache::install_debian(program, package)?;
        }
        let runs = |handle: &KafkaHandle| handle.brokers.iter().all(|broker| broker.is_alive());
        if let Some(handle) = kafka::status()?.filter(runs) {
            return Ok(Self {
                handle,
                is_ours: false,
            });
        }
        let handle = kafka::up(1).context("Kafka did not start")?;
        Ok(Self {
            handle,
            is_ours: true,
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
