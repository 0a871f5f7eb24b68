//! Named steps with a time and a result each, and the table at the end that says what really ran.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often a running command is looked at.
const POLL: Duration = Duration::from_millis(100);

/// Tests as `cargo test` counts them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tests {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

impl Tests {
    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }

    /// Reads a closing line of a test binary: `test result: ok. 3 passed; 0 failed; 1 ignored; ...`.
    fn from_line(line: &str) -> Option<Self> {
        let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let mut tests = Self::default();
        for part in counts.split(';') {
            let mut words = part.split_whitespace();
            let (Some(count), Some(what)) = (words.next(), words.next()) else {
                continue;
            };
            let Ok(count) = count.parse::<u64>() else {
                continue;
            };
            match what {
                "passed" => tests.passed = count,
                "failed" => tests.failed = count,
                "ignored" => tests.ignored = count,
                _ => {}
            }
        }
        Some(tests)
    }
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed(String),
    NotRun(String),
}

#[derive(Debug)]
struct StepResult {
    name: String,
    outcome: Outcome,
    took: Duration,
    tests: Tests,
}

/// Runs steps one after the other; a failed step does not stop the next one.
#[derive(Debug)]
pub(crate) struct Runner {
    started: Instant,
    results: Vec<StepResult>,
}

/// What a running step can do: run commands and count the tests in their output.
#[derive(Debug, Default)]
pub(crate) struct Step {
    tests: Tests,
    notes: Vec<String>,
}

impl Runner {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            results: Vec::new(),
        }
    }

    /// Runs one step and prints its name, its commands, its time and its result. True when it passed.
    pub(crate) fn step(&mut self, name: &str, body: impl FnOnce(&mut Step) -> Result<()>) -> bool {
        println!("\n==> {name}");
        let _ = std::io::stdout().flush();
        let started = Instant::now();
        let mut step = Step::default();
        let outcome = match body(&mut step) {
            Ok(()) => Outcome::Passed,
            Err(error) => Outcome::Failed(format!("{error:#}")),
        };
        let took = started.elapsed();
        match &outcome {
            Outcome::Failed(why) => println!("<== {name}: FAILED after {}: {why}", seconds(took)),
            _ => println!("<== {name}: passed in {}{}", seconds(took), step.notes()),
        }
        let passed = outcome == Outcome::Passed;
        self.results.push(StepResult {
            name: name.to_owned(),
            outcome,
            took,
            tests: step.tests,
        });
        passed
    }

    /// Records a step that is left out, with the reason.
    pub(crate) fn not_run(&mut self, name: &str, why: &str) {
        self.results.push(StepResult {
            name: name.to_owned(),
            outcome: Outcome::NotRun(why.to_owned()),
            took: Duration::ZERO,
            tests: Tests::default(),
        });
    }

    /// Prints the table. An error when any step failed.
    pub(crate) fn finish(self) -> Result<()> {
        print!("{}", self.summary());
        let failed: Vec<&str> = self
            .results
            .iter()
            .filter(|result| matches!(result.outcome, Outcome::Failed(_)))
            .map(|result| result.name.as_str())
            .collect();
        if failed.is_empty() {
            return Ok(());
        }
        bail!("failed: {}", failed.join(", "))
    }

    fn summary(&self) -> String {
        let width = self
            .results
            .iter()
            .map(|result| result.name.len())
            .max()
            .unwrap_or(0);
        let mut text = String::from("\nWhat ran\n");
        let mut total = Tests::default();
        for result in &self.results {
            total.add(result.tests);
            let (word, detail) = match &result.outcome {
                Outcome::Passed => ("passed", tests_text(result.tests)),
                Outcome::Failed(why) => ("FAILED", first_line(why).to_owned()),
                Outcome::NotRun(why) => ("not run", why.clone()),
            };
            let took = match result.outcome {
                Outcome::NotRun(_) => "-".to_owned(),
                _ => seconds(result.took),
            };
            let line = format!("  {:width$}  {word:7}  {took:>8}  {detail}", result.name);
            text.push_str(line.trim_end());
            text.push('\n');
        }
        let count = |wanted: fn(&Outcome) -> bool| {
            self.results
                .iter()
                .filter(|result| wanted(&result.outcome))
                .count()
        };
        text.push_str(&format!(
            "{} steps passed, {} failed, {} not run, in {}\n",
            count(|outcome| matches!(outcome, Outcome::Passed)),
            count(|outcome| matches!(outcome, Outcome::Failed(_))),
            count(|outcome| matches!(outcome, Outcome::NotRun(_))),
            seconds(self.started.elapsed()),
        ));
        if total != Tests::default() {
            text.push_str(&format!(
                "tests: {} passed, {} failed\n",
                total.passed, total.failed
            ));
        }
        text
    }
}

impl Step {
    /// The tests that the step's commands ran so far.
    pub(crate) fn tests(&self) -> Tests {
        self.tests
    }

    /// Adds a remark to the step's closing line.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    fn notes(&self) -> String {
        let mut notes = self.notes.clone();
        let tests = tests_text(self.tests);
        if !tests.is_empty() {
            notes.insert(0, tests);
        }
        if notes.is_empty() {
            String::new()
        } else {
            format!(": {}", notes.join("; "))
        }
    }

    /// Runs a command to its end, showing its output as it comes. An error when it fails or takes longer
    /// than `limit`; then its whole process tree is ended, so that a hanging test cannot hold the machine.
    pub(crate) fn command(&mut self, command: &mut Command, limit: Duration) -> Result<()> {
        let shown = shown(command);
        println!("  $ {shown}");
        let _ = std::io::stdout().flush();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run `{shown}`"))?;
        let output = child.stdout.take().expect("stdout was asked for as a pipe");
        let reader = thread::spawn(move || {
            let mut tests = Tests::default();
            for line in BufReader::new(output).split(b'\n') {
                let Ok(line) = line else { break };
                let line = String::from_utf8_lossy(&line);
                println!("{line}");
                if let Some(counted) = Tests::from_line(&line) {
                    tests.add(counted);
                }
            }
            tests
        });
        let ended = wait(&mut child, limit);
        self.tests.add(reader.join().unwrap_or_default());
        match ended? {
            Some(status) if status.success() => Ok(()),
            Some(status) => bail!("`{shown}` failed ({status})"),
            None => bail!("`{shown}` was ended: it ran longer than {}", seconds(limit)),
        }
    }
}

/// Waits for a child; none when it had to be ended.
fn wait(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            for process in descendants(child.id()) {
                let _ = Command::new("kill")
                    .arg("-KILL")
                    .arg(process.to_string())
                    .status();
            }
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(POLL);
    }
}

/// The processes that this one started, and those that they started.
fn descendants(process: u32) -> Vec<u32> {
    let Ok(listing) = Command::new("ps").args(["-A", "-o", "pid=,ppid="]).output() else {
        return Vec::new();
    };
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&listing.stdout).lines() {
        let mut numbers = line
            .split_whitespace()
            .filter_map(|word| word.parse::<u32>().ok());
        if let (Some(child), Some(parent)) = (numbers.next(), numbers.next()) {
            children.entry(parent).or_default().push(child);
        }
    }
    let mut found = BTreeSet::new();
    let mut waiting = vec![process];
    while let Some(parent) = waiting.pop() {
        for &child in children.get(&parent).map(Vec::as_slice).unwrap_or_default() {
            if found.insert(child) {
                waiting.push(child);
            }
        }
    }
    found.into_iter().collect()
}

/// A command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|argument| {
        let argument = argument.to_string_lossy();
        if argument.contains(char::is_whitespace) {
            format!("'{argument}'")
        } else {
            argument.into_owned()
        }
    }));
    words.join(" ")
}

fn tests_text(tests: Tests) -> String {
    if tests == Tests::default() {
        return String::new();
    }
    let mut text = format!("{} tests passed", tests.passed);
    if tests.failed > 0 {
        text.push_str(&format!(", {} failed", tests.failed));
    }
    if tests.ignored > 0 {
        text.push_str(&format!(", {} not run here", tests.ignored));
    }
    text
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or("")
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_closing_line_of_cargo_test() {
        let line = "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.10s";
        assert_eq!(
            Tests::from_line(line),
            Some(Tests {
                passed: 12,
                failed: 0,
                ignored: 3
            })
        );
        assert_eq!(Tests::from_line("test foo ... ok"), None);
        let failed = "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured";
        assert_eq!(
            Tests::from_line(failed),
            Some(Tests {
                passed: 1,
                failed: 2,
                ignored: 0
            })
        );
    }

    #[test]
    fn a_failed_step_fails_the_run_and_the_later_ones_still_run() {
        let mut runner = Runner::new();
        assert!(!runner.step("one", |step| {
            step.command(&mut Command::new("false"), Duration::from_secs(5))
        }));
        assert!(runner.step("two", |step| {
            step.command(
                Command::new("echo").arg("test result: ok. 2 passed; 0 failed; 0 ignored"),
                Duration::from_secs(5),
            )
        }));
        runner.not_run("three", "--quick");
        let summary = runner.summary();
        assert!(
            summary.contains("1 steps passed, 1 failed, 1 not run"),
            "{summary}"
        );
        assert!(summary.contains("tests: 2 passed, 0 failed"), "{summary}");
        assert!(runner.finish().is_err());
    }

    #[test]
    fn a_command_that_hangs_is_ended_with_what_it_started() {
        let mut step = Step::default();
        let started = Instant::now();
        let error = step
            .command(
                Command::new("sh").args(["-c", "sleep 60 & wait"]),
                Duration::from_millis(300),
            )
            .unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(20));
        assert!(error.to_string().contains("ran longer than"), "{error}");
    }
}
