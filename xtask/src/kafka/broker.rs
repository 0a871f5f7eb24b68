//! One broker: its ports, settings, storage and process.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

const FIRST_PORT: u16 = 19_092;
const FIRST_CONTROLLER_PORT: u16 = 19_192;
/// A base64url UUID; one fixed id is enough, for the data never outlives the cluster.
const CLUSTER_ID: &str = "DriftlineTestCluster0A";
const LOG_TAIL_LINES: usize = 20;
/// A heap for tests, one collector thread, and the quick compiler only: two cores are shared.
const JVM: [&str; 5] = [
    "-Xms128m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
];
const LOG4J2: &str = "\
status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %c{1} %m%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
";

/// What is decided before anything starts.
#[derive(Debug)]
pub(super) struct Node {
    id: usize,
    port: u16,
    dir: PathBuf,
    settings: PathBuf,
}

/// A broker that was started.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BrokerProcess {
    /// Kafka's `node.id`.
    pub(crate) node: usize,
    /// The client port on 127.0.0.1.
    pub(crate) port: u16,
    /// The Java process.
    pub(crate) pid: i32,
    /// When it started, in the kernel's ticks since boot: with the id this names one process.
    pub(crate) started: u64,
    /// Its data, settings and log.
    pub(crate) dir: PathBuf,
}

impl BrokerProcess {
    /// Whether the process runs and is still the one that was started: ids are reused.
    pub(crate) fn is_alive(&self) -> bool {
        started_at(self.pid).is_some_and(|started| started == self.started)
    }

    pub(super) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends the broker at once, as a crash would.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if self.is_alive()
            && let Some(pid) = Pid::from_raw(self.pid)
        {
            // It may end between the check and the signal; then there is nothing left to do.
            let _ = kill_process(pid, signal);
        }
    }

    /// The end of what the broker wrote.
    pub(super) fn log_tail(&self) -> String {
        let text = fs::read_to_string(self.dir.join("server.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }
}

/// Chooses ports and writes the settings of `count` nodes below `dir`.
pub(super) fn plan(count: u16, dir: &Path) -> Result<Vec<Node>> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("cannot clear {}", dir.display()))?;
    }
    let ports = free_ports(FIRST_PORT, count)?;
    let controllers = free_ports(FIRST_CONTROLLER_PORT, count)?;
    let voters: Vec<String> = controllers
        .iter()
        .enumerate()
        .map(|(i, port)| format!("{}@127.0.0.1:{port}", i + 1))
        .collect();
    let mut nodes = Vec::with_capacity(ports.len());
    for (i, (&port, &controller)) in ports.iter().zip(&controllers).enumerate() {
        let id = i + 1;
        let dir = dir.join(format!("node-{id}"));
        fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let settings = settings_path(&dir);
        fs::write(
            &settings,
            settings_text(id, port, controller, &voters, &dir),
        )?;
        fs::write(dir.join("log4j2.properties"), LOG4J2)?;
        nodes.push(Node {
            id,
            port,
            dir,
            settings,
        });
    }
    Ok(nodes)
}

pub(super) fn bootstrap(nodes: &[Node]) -> String {
    let addresses: Vec<String> = nodes
        .iter()
        .map(|node| format!("127.0.0.1:{}", node.port))
        .collect();
    addresses.join(",")
}

/// Formats the storage of every node, all at once: each costs a start of the Java machine.
pub(super) fn format(nodes: &[Node], classpath: &str) -> Result<()> {
    let mut running = Vec::with_capacity(nodes.len());
    for node in nodes {
        let child = java(node, classpath)
            .args([
                "kafka.tools.StorageTool",
                "format",
                "--cluster-id",
                CLUSTER_ID,
                "--config",
            ])
            .arg(&node.settings)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run java")?;
        running.push(child);
    }
    for child in running {
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!(
                "cannot format Kafka's storage:\n{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
    Ok(())
}

/// Starts a broker that outlives this process.
pub(super) fn start(node: &Node, classpath: &str) -> Result<BrokerProcess> {
    let log = File::create(node.dir.join("server.log"))?;
    let child = java(node, classpath)
        .arg("kafka.Kafka")
        .arg(&node.settings)
        .stdout(log.try_clone()?)
        .stderr(log)
        // Its own process group: Ctrl-C in the terminal is not for the broker.
        .process_group(0)
        .spawn()
        .context("cannot run java")?;
    let pid = i32::try_from(child.id()).context("a process id beyond i32")?;
    let started = started_at(pid).with_context(|| format!("node {} ended at once", node.id))?;
    Ok(BrokerProcess {
        node: node.id,
        port: node.port,
        pid,
        started,
        dir: node.dir.clone(),
    })
}

/// The start time of a process that has not ended (a zombie has).
fn started_at(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses and may contain anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let started = fields.nth(18)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(started)
}

fn java(node: &Node, classpath: &str) -> Command {
    let mut command = Command::new("java");
    command
        .args(JVM)
        .arg(format!(
            "-Dlog4j2.configurationFile={}",
            node.dir.join("log4j2.properties").display()
        ))
        .args(["-cp", classpath])
        .current_dir(&node.dir)
        .stdin(Stdio::null());
    command
}

fn settings_path(dir: &Path) -> PathBuf {
    dir.join("server.properties")
}

/// `count` ports from `first` on where they are free, else whatever the system gives.
fn free_ports(first: u16, count: u16) -> Result<Vec<u16>> {
    // All listeners are held until the end, so that no port is chosen twice.
    let mut held = Vec::new();
    for i in 0..count {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, first + i))
            .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .context("no free port on 127.0.0.1")?;
        held.push(listener);
    }
    held.iter()
        .map(|listener| Ok(listener.local_addr()?.port()))
        .collect()
}

fn settings_text(id: usize, port: u16, controller: u16, voters: &[String], dir: &Path) -> String {
    let replicas = voters.len().min(3);
    // With three replicas a commit survives the loss of a broker, and one broker may be down.
    let in_sync = if replicas == 3 { 2 } else { 1 };
    let settings = [
        ("process.roles", "broker,controller".to_owned()),
        ("node.id", id.to_string()),
        ("controller.quorum.voters", voters.join(",")),
        ("controller.listener.names", "CONTROLLER".to_owned()),
        (
            "listeners",
            format!("PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}"),
        ),
        (
            "advertised.listeners",
            format!("PLAINTEXT://127.0.0.1:{port}"),
        ),
        (
            "listener.security.protocol.map",
            "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT".to_owned(),
        ),
        ("inter.broker.listener.name", "PLAINTEXT".to_owned()),
        ("log.dirs", dir.join("data").display().to_string()),
        ("default.replication.factor", replicas.to_string()),
        ("min.insync.replicas", in_sync.to_string()),
        ("offsets.topic.replication.factor", replicas.to_string()),
        ("offsets.topic.num.partitions", "3".to_owned()),
        (
            "transaction.state.log.replication.factor",
            replicas.to_string(),
        ),
        ("transaction.state.log.min.isr", in_sync.to_string()),
        ("transaction.state.log.num.partitions", "3".to_owned()),
        (
            "share.coordinator.state.topic.replication.factor",
            replicas.to_string(),
        ),
        ("share.coordinator.state.topic.min.isr", in_sync.to_string()),
        (
            "share.coordinator.state.topic.num.partitions",
            "1".to_owned(),
        ),
        (
            "transaction.abort.timed.out.transaction.cleanup.interval.ms",
            "1000".to_owned(),
        ),
        ("group.initial.rebalance.delay.ms", "0".to_owned()),
        ("group.min.session.timeout.ms", "1000".to_owned()),
        ("auto.create.topics.enable", "false".to_owned()),
        ("unclean.leader.election.enable", "false".to_owned()),
        ("replica.lag.time.max.ms", "5000".to_owned()),
        ("broker.session.timeout.ms", "6000".to_owned()),
        ("broker.heartbeat.interval.ms", "1000".to_owned()),
        ("num.network.threads", "2".to_owned()),
        ("num.io.threads", "2".to_owned()),
        ("log.index.size.max.bytes", "1048576".to_owned()),
        // The default of 128 MB would take half of the heap.
        ("log.cleaner.dedupe.buffer.size", "4194304".to_owned()),
        ("log.cleaner.backoff.ms", "1000".to_owned()),
    ];
    settings
        .iter()
        .map(|(key, value)| format!("{key}={value}\n"))
        .collect()
}
