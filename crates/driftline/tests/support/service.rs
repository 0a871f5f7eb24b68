//! `driftline run` as a child process.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::{eventually, http};

/// A running service; it is killed when the test ends.
#[derive(Debug)]
pub struct Service {
    child: Child,
    log: PathBuf,
    pub address: String,
}

/// How a process ended that should not run.
#[derive(Debug)]
pub struct Refusal {
    pub code: Option<i32>,
    pub text: String,
    pub took: Duration,
}

fn command(config: &Path, log: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_driftline"));
    command
        .args(["run", "--log-format", "json", "--config"])
        .arg(config)
        .env_remove("DRIFTLINE_LOG")
        .stdout(Stdio::null())
        .stderr(File::create(log).unwrap());
    command
}

/// Runs what is expected to end by itself.
pub fn refused(config: &Path, within: Duration) -> Refusal {
    let log = config.with_extension("refused.log");
    let started = Instant::now();
    let mut child = command(config, &log).spawn().unwrap();
    let status = wait(&mut child, within);
    let text = std::fs::read_to_string(&log).unwrap();
    let Some(status) = status else {
        panic!("it still runs after {within:?}: {text}")
    };
    Refusal {
        code: status.code(),
        text,
        took: started.elapsed(),
    }
}

fn wait(child: &mut Child, within: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + within;
    loop {
        match child.try_wait().unwrap() {
            Some(status) => return Some(status),
            None if Instant::now() > deadline => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

impl Service {
    /// Starts it and waits until it says that it runs. `name` keeps apart the logs of several starts.
    pub fn start(config: &Path, name: &str) -> Self {
        Self::start_with(config, name, &[])
    }

    /// The same with further arguments.
    pub fn start_with(config: &Path, name: &str, more: &[&str]) -> Self {
        let log = config.with_extension(format!("{name}.log"));
        let child = command(config, &log).args(more).spawn().unwrap();
        let mut service = Self {
            child,
            log,
            address: String::new(),
        };
        eventually("the service runs", || {
            let ended = service.child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", service.log());
            service.address = address(&service.log()).unwrap_or_default();
            !service.address.is_empty()
        });
        service
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn metrics(&self) -> String {
        http::get(&self.address, "/metrics").unwrap_or_else(|e| panic!("{e}\n{}", self.log()))
    }

    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        http::sample(&self.metrics(), name, labels)
    }

    /// Predictions that count and that do not.
    pub fn received(&self) -> (u64, u64) {
        let text = self.metrics();
        let stream = [("stream", "prediction")];
        let of = |name| http::sample(&text, name, &stream).unwrap_or(0.0) as u64;
        (
            of("driftline_events_total"),
            of("driftline_events_rejected_total"),
        )
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM: it must end within 15 s, and well.
    pub fn terminate(mut self) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(sent.success());
        let status = wait(&mut self.child, Duration::from_secs(15));
        let Some(status) = status else {
            panic!("it does not stop: {}", self.log())
        };
        assert_eq!(status.code(), Some(0), "{}", self.log());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let end = log.lines().rev().take(30).collect::<Vec<_>>();
            println!(
                "the end of {}, last line first:\n{}",
                self.log.display(),
                end.join("\n")
            );
        }
    }
}

fn address(log: &str) -> Option<String> {
    log.lines().find_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        let runs = line["message"] == "running";
        runs.then(|| line["address"].as_str().map(str::to_owned))?
    })
}
