//! The dependency graph as cargo resolves it for this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Why a package depends on another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DependencyKind {
    /// Linked into the package.
    Normal,
    /// Used by its tests, examples and benches only.
    Development,
    /// Used by its build script only.
    Build,
}

/// One package of the graph.
#[derive(Debug, Clone)]
pub struct Package {
    /// Its name in the registry or in this workspace.
    pub name: String,
    /// True when it is a member of this workspace.
    pub is_member: bool,
    dependencies: BTreeSet<(String, DependencyKind)>,
}

/// All packages of the workspace and everything that they need, by cargo's package id.
#[derive(Debug)]
pub struct Graph {
    packages: BTreeMap<String, Package>,
}

impl Graph {
    /// Asks cargo.
    ///
    /// # Panics
    /// When cargo fails or answers in a shape that it does not document: a test cannot go on then.
    #[must_use]
    pub fn load() -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args([
                "metadata",
                "--format-version",
                "1",
                "--filter-platform",
                &host(),
            ])
            .current_dir(crate::root())
            .output()
            .expect("cargo runs these tests, so it is there");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
        Self::from_metadata(&metadata)
    }

    fn from_metadata(metadata: &Value) -> Self {
        let members: BTreeSet<&str> = array(&metadata["workspace_members"])
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let mut packages = BTreeMap::new();
        for package in array(&metadata["packages"]) {
            let id = text(&package["id"]);
            packages.insert(
                id.to_owned(),
                Package {
                    name: text(&package["name"]).to_owned(),
                    is_member: members.contains(id),
                    dependencies: BTreeSet::new(),
                },
            );
        }
        for node in array(&metadata["resolve"]["nodes"]) {
            let Some(package) = packages.get_mut(text(&node["id"])) else {
                continue;
            };
            for dependency in array(&node["deps"]) {
                for kind in array(&dependency["dep_kinds"]) {
                    let kind = match kind["kind"].as_str() {
                        None => DependencyKind::Normal,
                        Some("dev") => DependencyKind::Development,
                        Some(_) => DependencyKind::Build,
                    };
                    package
                        .dependencies
                        .insert((text(&dependency["pkg"]).to_owned(), kind));
                }
            }
        }
        Self { packages }
    }

    /// The members of this workspace, by name.
    #[must_use]
    pub fn members(&self) -> BTreeSet<&str> {
        self.packages
            .values()
            .filter(|package| package.is_member)
            .map(|package| package.name.as_str())
            .collect()
    }

    /// The members that a member depends on directly, in the way asked for.
    #[must_use]
    pub fn internal_dependencies(&self, member: &str, kind: DependencyKind) -> BTreeSet<&str> {
        self.dependencies(self.member(member), kind)
            .filter(|package| package.is_member)
            .map(|package| package.name.as_str())
            .collect()
    }

    /// Every outside package that is linked into a member, directly or not: normal dependencies only,
    /// procedural macros and what these use included, build scripts left out.
    #[must_use]
    pub fn linked_outsiders(&self, member: &str) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut waiting = vec![self.member(member)];
        let mut seen = BTreeSet::new();
        while let Some(package) = waiting.pop() {
            for (id, kind) in &package.dependencies {
                if *kind != DependencyKind::Normal || !seen.insert(id) {
                    continue;
                }
                if let Some(next) = self.packages.get(id) {
                    if !next.is_member {
                        found.insert(next.name.as_str());
                    }
                    waiting.push(next);
                }
            }
        }
        found
    }

    fn member(&self, name: &str) -> &Package {
        self.packages
            .values()
            .find(|package| package.is_member && package.name == name)
            .unwrap_or_else(|| panic!("the workspace has no member `{name}`"))
    }

    fn dependencies<'a>(
        &'a self,
        package: &'a Package,
        kind: DependencyKind,
    ) -> impl Iterator<Item = &'a Package> {
        package
            .dependencies
            .iter()
            .filter(move |(_, of_kind)| *of_kind == kind)
            .filter_map(|(id, _)| self.packages.get(id))
    }
}

/// The target triple of this machine, so that cargo need not know packages of other platforms.
fn host() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .arg("-vV")
        .output()
        .expect("rustc built these tests");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .find_map(|line| line.strip_prefix("host: ").map(str::to_owned))
        .expect("rustc -vV names its host")
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
