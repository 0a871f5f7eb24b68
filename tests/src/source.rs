//! The files of the tree, as text.

use std::fs;
use std::path::{Path, PathBuf};

/// Directories that hold nothing of ours.
const SKIPPED: [&str; 5] = ["target", ".git", "node_modules", "__pycache__", "runs"];
/// Larger files are data.
const TEXT_BYTES_MAX: u64 = 1_000_000;

/// One text file of the tree.
#[derive(Debug, Clone)]
pub struct File {
    /// Its path from the top of the repository, with `/`.
    pub path: String,
    /// Its content.
    pub text: String,
}

impl File {
    /// True for a Rust source file.
    #[must_use]
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The lines before the file's unit tests, with their numbers from 1.
    pub fn lines_before_tests(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_tests = |line: &str| line.trim() == "#[cfg(test)]";
        (1..).zip(self.text.lines().take_while(move |line| !is_tests(line)))
    }
}

/// The top of the repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every text file of the tree, in order of path; build output and data are left out.
#[must_use]
pub fn tracked_files() -> Vec<File> {
    let root = root();
    let mut files = Vec::new();
    let mut waiting = vec![root.clone()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() {
                if !SKIPPED.iter().any(|skipped| name == *skipped) {
                    waiting.push(path);
                }
                continue;
            }
            let small = entry
                .metadata()
                .is_ok_and(|data| data.len() <= TEXT_BYTES_MAX);
            let relative = path.strip_prefix(&root).unwrap_or(&path);
            let relative = relative.to_string_lossy().replace('\\', "/");
            // Not UTF-8 means data.
            if small && let Ok(text) = fs::read_to_string(&path) {
                files.push(File {
                    path: relative,
                    text,
                });
            }
        }
    }
    files.sort_by(|left, right| left.path.cmp(&right.path));
    files
}

/// The directories of the workspace's packages, from the top of the repository.
#[must_use]
pub fn crate_directories() -> Vec<String> {
    tracked_files()
        .iter()
        .filter_map(|file| file.path.strip_suffix("/Cargo.toml").map(str::to_owned))
        .collect()
}
