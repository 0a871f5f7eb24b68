//! What cannot run says why and what to do, and ends with the documented exit code.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::net::TcpListener;
use std::time::Duration;

use support::data;
use support::service::{Refusal, Service, refused};
use support::{Scratch, brokers, create_topic};

/// The deadline of a start is 60 s.
const WITHIN: Duration = Duration::from_secs(100);

fn scratch(name: &str) -> Scratch {
    let scratch = Scratch::new(name);
    data::write_reference(&scratch.directory);
    scratch
}

fn config(scratch: &Scratch, brokers: &str) -> String {
    data::config(&scratch.app, brokers, "format: json", "")
}

fn run(scratch: &Scratch, text: &str) -> Refusal {
    refused(&scratch.write("driftline.yaml", text), WITHIN)
}

/// The exit code and all of the words.
fn assert_says(refusal: &Refusal, code: i32, words: &[&str]) {
    assert_eq!(refusal.code, Some(code), "{refusal:?}");
    for word in words {
        assert!(refusal.text.contains(word), "no `{word}` in {refusal:?}");
    }
}

#[test]
#[ignore = "needs a real broker: cargo xtask test"]
fn a_missing_topic_is_named_with_the_command_that_creates_it() {
    let scratch = scratch("topics");
    let text = config(&scratch, &brokers());
    let input = scratch.topic("in");
    let refusal = run(&scratch, &text);
    assert_says(
        &refusal,
        69,
        &[&input, "does not exist", "hint: ", "--create"],
    );
    create_topic(&input, 1, &[]);
    let refusal = run(&scratch, &text);
    let partials = scratch.topic("partials");
    assert_says(&refusal, 69, &[&partials, "does not exist", "--create"]);
    // The command that the hint names makes it run.
    let created = std::process::Command::new(env!("CARGO_BIN_EXE_driftline"))
        .args(["topics", "--create", "--config"])
        .arg(scratch.directory.join("driftline.yaml"))
        .output()
        .unwrap();
    assert!(created.status.success(), "{created:?}");
    Service::start(&scratch.directory.join("driftline.yaml"), "run").terminate();
}

#[test]
#[ignore = "needs a real broker: cargo xtask test"]
fn brokers_that_are_down_are_waited_for_and_then_named() {
    // A port that was free a moment ago: nobody listens there.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let scratch = scratch("down");
    let refusal = run(&scratch, &config(&scratch, &port.to_string()));
    assert_says(&refusal, 69, &[&port.to_string(), "check the address"]);
}

#[test]
#[ignore = "needs a real broker: cargo xtask test"]
fn a_wrong_configuration_is_told_with_its_place() {
    let scratch = scratch("config");
    let text = config(&scratch, &brokers());
    let refusal = run(&scratch, &text.replace("windows:", "windws:"));
    assert_says(&refusal, 78, &["driftline.yaml", "windws", "`windows`"]);
    let refusal = run(&scratch, &text.replace("fares.json", "absent.json"));
    assert_says(&refusal, 78, &["absent.json"]);
    let refusal = run(&scratch, &text.replace("statistic: psi", "statistic: ipsy"));
    assert_says(&refusal, 78, &["driftline.yaml", "ipsy"]);
    assert!(
        refusal.took < Duration::from_secs(20),
        "nothing is waited for"
    );
}

#[test]
#[ignore = "needs a real broker: cargo xtask test"]
fn a_taken_port_is_named_with_the_key_that_changes_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let scratch = scratch("port");
    scratch.create_topics(1);
    let text = config(&scratch, &brokers()).replace("127.0.0.1:0", &address);
    let refusal = run(&scratch, &text);
    assert_says(&refusal, 69, &[&address, "hint: ", "bind"]);
}
