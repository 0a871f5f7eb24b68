//! The Kafka jars: fetched once by Maven, then used from the cache.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::cache_dir;

/// The newest 4.x release on Maven Central when this was written.
const VERSION: &str = "4.4.0";
/// Kafka's own choice of logging back end for that release.
const LOG4J_VERSION: &str = "2.25.5";

/// Programs that are not installed, each with the Debian package that has it.
pub(crate) fn missing_tools() -> Vec<(&'static str, &'static str)> {
    [("java", "openjdk-17-jre-headless"), ("mvn", "maven")]
        .into_iter()
        .filter(|(program, _)| !is_installed(program))
        // With the jars in the cache Maven is not needed any more.
        .filter(|(program, _)| *program != "mvn" || !is_complete())
        .collect()
}

/// The Kafka version in use; `DRIFTLINE_KAFKA_VERSION` overrides it.
pub(super) fn version() -> String {
    std::env::var("DRIFTLINE_KAFKA_VERSION").unwrap_or_else(|_| VERSION.to_owned())
}

/// Fetches the jars unless the cache has them, and returns Java's class path.
pub(super) fn ensure() -> Result<String> {
    if let Some((program, package)) = missing_tools().first() {
        bail!("`{program}` is needed for Apache Kafka: apt-get install {package}");
    }
    let dir = dir()?;
    if !is_complete() {
        fetch(&dir)?;
    }
    Ok(format!("{}/*", dir.join("libs").display()))
}

fn dir() -> Result<PathBuf> {
    Ok(cache_dir()?.join(format!("kafka-{}", version())))
}

fn is_complete() -> bool {
    dir().is_ok_and(|dir| dir.join("complete").exists())
}

fn is_installed(program: &str) -> bool {
    Command::new(program)
        .arg("-version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}

fn fetch(dir: &std::path::Path) -> Result<()> {
    eprintln!(
        "kafka: fetching Apache Kafka {} with Maven (once)",
        version()
    );
    let libs = dir.join("libs");
    if libs.exists() {
        fs::remove_dir_all(&libs)?;
    }
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let pom = dir.join("pom.xml");
    fs::write(&pom, pom_text())?;
    let output = Command::new("mvn")
        .args(["--batch-mode", "--quiet", "dependency:copy-dependencies"])
        .arg(format!("-DoutputDirectory={}", libs.display()))
        .arg("-f")
        .arg(&pom)
        .stdin(Stdio::null())
        .output()
        .context("cannot run mvn")?;
    if !output.status.success() {
        bail!(
            "mvn could not fetch Kafka:\n{}",
            String::from_utf8_lossy(&output.stdout).trim_end()
        );
    }
    // Written last: a fetch that was cut short is done again.
    fs::write(dir.join("complete"), "")?;
    Ok(())
}

fn pom_text() -> String {
    let dependency = |group: &str, artefact: &str, version: &str| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{artefact}</artifactId>\
             <version>{version}</version></dependency>"
        )
    };
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>driftline</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>\
         <packaging>pom</packaging><dependencies>{}{}</dependencies></project>\n",
        dependency("org.apache.kafka", "kafka_2.13", &version()),
        dependency(
            "org.apache.logging.log4j",
            "log4j-slf4j-impl",
            LOG4J_VERSION
        ),
    )
}
