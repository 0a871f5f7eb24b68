//! Apache Kafka in KRaft mode on loopback, from Maven Central artefacts and a Java runtime.
//!
//! The jars are kept in `<cache>/kafka-<version>/libs`; a running cluster keeps its files in
//! `<cache>/kafka-run/`, where `state.json` names the bootstrap address and the process ids. `up` is
//! idempotent and `down` ends exactly the processes that `up` started, then removes their data.

mod artefacts;
mod broker;
mod probe;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use serde::{Deserialize, Serialize};

pub(crate) use artefacts::missing_tools;
use broker::BrokerProcess;

/// From the start of the processes until every broker sees every other.
const READY_WITHIN: Duration = Duration::from_secs(90);
/// A broker that has not ended this long after SIGTERM gets SIGKILL.
const STOP_WITHIN: Duration = Duration::from_secs(15);
/// More brokers than this on one developer's machine is a typing error.
const BROKERS_MAX: u16 = 9;

#[derive(Debug, Subcommand)]
pub(crate) enum KafkaCommand {
    /// Start brokers, wait until they answer, and print bootstrap=HOST:PORT
    Up {
        /// How many brokers, each also a controller
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=9))]
        brokers: u16,
    },
    /// Stop the brokers that `up` started and remove their data
    Down,
    /// Say whether the brokers run and where
    Status,
}

/// A running cluster: what `state.json` holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KafkaHandle {
    /// Comma-separated `host:port` of every broker.
    pub(crate) bootstrap: String,
    /// The Kafka version that runs.
    pub(crate) version: String,
    /// The brokers, by node id.
    pub(crate) brokers: Vec<BrokerProcess>,
}

pub(crate) fn run(command: &KafkaCommand) -> Result<()> {
    match command {
        KafkaCommand::Up { brokers } => {
            let handle = up(*brokers)?;
            println!("bootstrap={}", handle.bootstrap);
        }
        KafkaCommand::Down => {
            if down()? {
                eprintln!("kafka: stopped, data removed");
            } else {
                eprintln!("kafka: was not running");
            }
        }
        KafkaCommand::Status => match status()? {
            Some(handle) => {
                println!("bootstrap={}", handle.bootstrap);
                for broker in &handle.brokers {
                    let state = if broker.is_alive() {
                        "runs"
                    } else {
                        "has ended"
                    };
                    eprintln!("kafka: node {} (pid {}) {state}", broker.node, broker.pid);
                }
            }
            None => bail!("no brokers are up; start them with `cargo xtask kafka up`"),
        },
    }
    Ok(())
}

/// Starts `brokers` brokers, or returns the cluster that already runs.
pub(crate) fn up(brokers: u16) -> Result<KafkaHandle> {
    anyhow::ensure!(
        (1..=BROKERS_MAX).contains(&brokers),
        "1 to {BROKERS_MAX} brokers"
    );
    let _lock = lock()?;
    if let Some(handle) = read_state()? {
        if handle.brokers.iter().all(BrokerProcess::is_alive) {
            anyhow::ensure!(
                handle.brokers.len() == usize::from(brokers),
                "{} broker(s) already run at {}; `cargo xtask kafka down` first",
                handle.brokers.len(),
                handle.bootstrap
            );
            eprintln!("kafka: already up");
            return Ok(handle);
        }
        eprintln!("kafka: an earlier cluster is partly gone; cleaning it up");
        stop(&handle)?;
    }
    let classpath = artefacts::ensure()?;
    let nodes = broker::plan(brokers, &run_dir()?)?;
    broker::format(&nodes, &classpath)?;
    let mut handle = KafkaHandle {
        bootstrap: broker::bootstrap(&nodes),
        version: artefacts::version(),
        brokers: Vec::with_capacity(nodes.len()),
    };
    for node in &nodes {
        handle.brokers.push(broker::start(node, &classpath)?);
        // After every start, so that `down` finds the processes even if this one is interrupted.
        write_state(&handle)?;
    }
    if let Err(error) = wait_until_ready(&handle) {
        stop(&handle)?;
        return Err(error);
    }
    eprintln!(
        "kafka: {} broker(s) of {} ready at {}",
        brokers, handle.version, handle.bootstrap
    );
    Ok(handle)
}

/// Stops the cluster of the state file; false if there is none.
pub(crate) fn down() -> Result<bool> {
    let _lock = lock()?;
    match read_state()? {
        Some(handle) => stop(&handle).map(|()| true),
        None => Ok(false),
    }
}

/// The cluster of the state file, alive or not.
pub(crate) fn status() -> Result<Option<KafkaHandle>> {
    read_state()
}

/// Where all downloaded and running things are kept: `DRIFTLINE_CACHE` or `~/.cache/driftline-xtask`.
pub(crate) fn cache_dir() -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os("DRIFTLINE_CACHE").filter(|dir| !dir.is_empty()) {
        return std::path::absolute(PathBuf::from(dir)).context("DRIFTLINE_CACHE");
    }
    let home = std::env::var_os("HOME").context("neither DRIFTLINE_CACHE nor HOME is set")?;
    Ok(Path::new(&home).join(".cache/driftline-xtask"))
}

fn run_dir() -> Result<PathBuf> {
    Ok(cache_dir()?.join("kafka-run"))
}

fn state_path() -> Result<PathBuf> {
    Ok(run_dir()?.join("state.json"))
}

/// Held while the state file is read and changed, so that two `up`s do not race.
fn lock() -> Result<File> {
    let dir = cache_dir()?;
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let path = dir.join("kafka.lock");
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    file.lock()
        .with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

fn read_state() -> Result<Option<KafkaHandle>> {
    let path = state_path()?;
    match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .with_context(|| format!("{} is damaged; remove it", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn write_state(handle: &KafkaHandle) -> Result<()> {
    let path = state_path()?;
    let staged = path.with_extension("json.new");
    fs::write(&staged, serde_json::to_vec_pretty(handle)?)?;
    fs::rename(&staged, &path).with_context(|| format!("cannot write {}", path.display()))
}

fn wait_until_ready(handle: &KafkaHandle) -> Result<()> {
    let deadline = Instant::now() + READY_WITHIN;
    let mut told = Instant::now();
    let mut pending: Vec<&BrokerProcess> = handle.brokers.iter().collect();
    while !pending.is_empty() {
        for broker in &pending {
            if !broker.is_alive() {
                bail!(
                    "node {} ended while starting:\n{}",
                    broker.node,
                    broker.log_tail()
                );
            }
        }
        let all = handle.brokers.len();
        pending.retain(|broker| !probe::sees_brokers(broker.port, all));
        if pending.is_empty() {
            break;
        }
        if Instant::now() > deadline {
            let late = pending[0];
            bail!(
                "node {} did not answer within {} s:\n{}",
                late.node,
                READY_WITHIN.as_secs(),
                late.log_tail()
            );
        }
        if told.elapsed() > Duration::from_secs(5) {
            eprintln!("kafka: waiting for {} broker(s)", pending.len());
            told = Instant::now();
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn stop(handle: &KafkaHandle) -> Result<()> {
    handle.brokers.iter().for_each(BrokerProcess::terminate);
    let deadline = Instant::now() + STOP_WITHIN;
    while handle.brokers.iter().any(BrokerProcess::is_alive) {
        if Instant::now() > deadline {
            handle.brokers.iter().for_each(BrokerProcess::kill);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let dir = run_dir()?;
    fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))
}
