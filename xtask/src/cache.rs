//! Where the tools of the developer door live, and how each gets there.
//!
//! Everything is unpacked under one directory outside the tree, nothing is installed into the system,
//! and no service is ever started by a package's own scripts. Delete the directory to start afresh.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};

use crate::kafka::cache_dir;

/// Debian packages that a simulated install names but an unpacked binary does not need.
const NOT_NEEDED_UNPACKED: [&str; 5] = [
    "libjs-",
    "fonts-",
    "adduser",
    "init-system-helpers",
    "tzdata",
];

/// The licence checker, built from source because no registry here has a binary of known origin.
const CARGO_DENY_VERSION: &str = "0.20.2";

/// The first executable of this name on `PATH`.
pub(crate) fn on_path(binary: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|dir| dir.join(binary))
        .find(|path| path.is_file())
}

/// A program that Debian packages: from `PATH`, else from the cache, else downloaded and unpacked.
pub(crate) struct DebianTool {
    /// The program's name.
    pub(crate) binary: &'static str,
    /// The package that carries it.
    pub(crate) package: &'static str,
}

impl DebianTool {
    pub(crate) const PROMETHEUS: Self = Self {
        binary: "prometheus",
        package: "prometheus",
    };
    pub(crate) const PROMTOOL: Self = Self {
        binary: "promtool",
        package: "prometheus",
    };
    pub(crate) const ALERTMANAGER: Self = Self {
        binary: "prometheus-alertmanager",
        package: "prometheus-alertmanager",
    };
    pub(crate) const AMTOOL: Self = Self {
        binary: "amtool",
        package: "prometheus-alertmanager",
    };
    pub(crate) const KCAT: Self = Self {
        binary: "kcat",
        package: "kcat",
    };
    pub(crate) const DOCKER_COMPOSE: Self = Self {
        binary: "docker-compose",
        package: "docker-compose",
    };

    /// The program's path, after unpacking its package when it is nowhere yet.
    pub(crate) fn path(&self) -> Result<PathBuf> {
        if let Some(found) = on_path(self.binary) {
            return Ok(found);
        }
        let unpacked = cache_dir()?.join("debian").join(self.package);
        let wrapper = unpacked.join("bin").join(self.binary);
        if !wrapper.is_file() {
            unpack_debian(self.package, &unpacked).with_context(|| {
                format!(
                    "`{}` is not on PATH; on Debian or Ubuntu it is the package `{}` (apt-get install {})",
                    self.binary, self.package, self.package
                )
            })?;
        }
        if !wrapper.is_file() {
            bail!(
                "the package `{}` has no program `{}`",
                self.package,
                self.binary
            );
        }
        Ok(wrapper)
    }
}

/// The tools that the checks fetch.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Tool {
    Prometheus,
    Promtool,
    Alertmanager,
    Amtool,
    Kcat,
    DockerCompose,
    CargoDeny,
    Python,
}

/// `cargo xtask tool`: prints the path of a tool, fetched first when it is nowhere.
pub(crate) fn print_path(root: &Path, tool: Tool) -> Result<()> {
    let path = match tool {
        Tool::Prometheus => DebianTool::PROMETHEUS.path(),
        Tool::Promtool => DebianTool::PROMTOOL.path(),
        Tool::Alertmanager => DebianTool::ALERTMANAGER.path(),
        Tool::Amtool => DebianTool::AMTOOL.path(),
        Tool::Kcat => DebianTool::KCAT.path(),
        Tool::DockerCompose => DebianTool::DOCKER_COMPOSE.path(),
        Tool::CargoDeny => cargo_deny(),
        Tool::Python => tools_python(root),
    }?;
    println!("{}", path.display());
    Ok(())
}

/// Downloads a package with what it still needs and unpacks all of it under `target`.
fn unpack_debian(package: &str, target: &Path) -> Result<()> {
    if on_path("apt-get").is_none() || on_path("dpkg").is_none() {
        bail!("this machine has no apt-get and dpkg");
    }
    let mut names = packages_to_download(package);
    if names.is_err() && is_root() {
        quiet(Command::new("apt-get").args(["update", "-qq"])).context("apt-get update failed")?;
        names = packages_to_download(package);
    }
    let names = names.context("apt-get does not know it (has `apt-get update` been run?)")?;

    let scratch = target.with_extension("download");
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(&scratch)?;
    let download = |names: &[String]| {
        quiet(
            Command::new("apt-get")
                .args(["download", "-qq", "-o", "APT::Sandbox::User=root"])
                .args(names)
                .current_dir(&scratch),
        )
    };
    if download(&names).is_err() {
        // The lists may be older than the archive: a version that was replaced answers 404.
        if !is_root() {
            bail!("apt-get download failed; run `apt-get update` as root and try again");
        }
        quiet(Command::new("apt-get").args(["update", "-qq"])).context("apt-get update failed")?;
        download(&packages_to_download(package)?)?;
    }
    let root = scratch.join("root");
    for entry in fs::read_dir(&scratch)? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "deb") {
            quiet(Command::new("dpkg").arg("-x").arg(&file).arg(&root))?;
            fs::remove_file(&file)?;
        }
    }
    let _ = fs::remove_dir_all(target);
    fs::rename(&scratch, target)?;
    write_wrappers(target)
}

/// What `apt-get install` would add for this package, less what only matters to an installed system.
fn packages_to_download(package: &str) -> Result<Vec<String>> {
    let output = Command::new("apt-get")
        .args(["-s", "-qq", "install", "--no-install-recommends", package])
        .stderr(Stdio::null())
        .output()?;
    let mut names: Vec<String> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.strip_prefix("Inst ")?.split_whitespace().next())
        .filter(|name| {
            !NOT_NEEDED_UNPACKED
                .iter()
                .any(|prefix| name.starts_with(prefix))
        })
        .map(str::to_owned)
        .collect();
    if !output.status.success() {
        bail!("apt-get knows no package `{package}`");
    }
    // A package that is installed already, but off PATH, is not in the simulated list.
    if !names.iter().any(|name| name == package) {
        names.push(package.to_owned());
    }
    Ok(names)
}

/// One script per program, which runs it with the libraries and modules unpacked beside it.
fn write_wrappers(target: &Path) -> Result<()> {
    let programs = target.join("root/usr/bin");
    let wrappers = target.join("bin");
    fs::create_dir_all(&wrappers)?;
    for entry in fs::read_dir(&programs).context("the package has no programs")? {
        let name = entry?.file_name();
        let script = wrappers.join(&name);
        fs::write(
            &script,
            format!(
                "#!/bin/sh\n\
                 root='{root}'\n\
                 LD_LIBRARY_PATH=\"$(echo \"$root\"/usr/lib/*-linux-gnu)${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}\"\n\
                 PYTHONPATH=\"$root/usr/lib/python3/dist-packages${{PYTHONPATH:+:$PYTHONPATH}}\"\n\
                 export LD_LIBRARY_PATH PYTHONPATH\n\
                 exec \"$root/usr/bin/{name}\" \"$@\"\n",
                root = target.join("root").display(),
                name = name.to_string_lossy(),
            ),
        )?;
        quiet(Command::new("chmod").arg("+x").arg(&script))?;
    }
    Ok(())
}

/// The interpreter with the clients and checkers that the tests use.
pub(crate) fn tools_python(root: &Path) -> Result<PathBuf> {
    python_environment("tools", &root.join("xtask/requirements.txt"))
}

/// A Python virtual environment with exactly the packages of `requirements`; made again when they change.
pub(crate) fn python_environment(name: &str, requirements: &Path) -> Result<PathBuf> {
    let wanted = fs::read_to_string(requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let environment = cache_dir()?.join("python").join(name);
    let python = environment.join("bin/python");
    let stamp = environment.join("driftline-requirements.txt");
    if python.exists() && fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(python);
    }
    let _ = fs::remove_dir_all(&environment);
    quiet(
        Command::new("python3")
            .args(["-m", "venv"])
            .arg(&environment),
    )
    .context("python3 with venv is needed; on Debian or Ubuntu: apt-get install python3-venv")?;
    quiet(
        Command::new(&python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "-r",
            ])
            .arg(requirements),
    )?;
    fs::write(&stamp, wanted)?;
    Ok(python)
}

/// `cargo-deny`, from `PATH` or built once into the cache.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    if let Some(found) = on_path("cargo-deny") {
        return Ok(found);
    }
    let root = cache_dir()?.join(format!("cargo-deny-{CARGO_DENY_VERSION}"));
    let binary = root.join("bin/cargo-deny");
    if binary.is_file() {
        return Ok(binary);
    }
    eprintln!(
        "building cargo-deny {CARGO_DENY_VERSION} once into {}",
        root.display()
    );
    // Unoptimised and without features: it runs for two seconds, and its optimised build takes minutes.
    quiet(
        Command::new("cargo")
            .args([
                "install",
                "cargo-deny",
                "--locked",
                "--debug",
                "--no-default-features",
                "--quiet",
            ])
            .args(["--version", CARGO_DENY_VERSION, "--root"])
            .arg(&root)
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("RUSTFLAGS"),
    )?;
    Ok(binary)
}

/// Installs a Debian package for good, as root; otherwise an error that names it.
pub(crate) fn install_debian(program: &str, package: &str) -> Result<()> {
    if on_path("apt-get").is_none() || !is_root() {
        bail!("`{program}` is needed; on Debian or Ubuntu: apt-get install {package}");
    }
    eprintln!("installing the Debian package {package}");
    quiet(Command::new("apt-get").args(["update", "-qq"]))?;
    quiet(
        Command::new("apt-get")
            .args(["install", "-y", "-qq", "--no-install-recommends", package])
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Runs a command without its output; the output is part of the error when it fails.
pub(crate) fn quiet(command: &mut Command) -> Result<()> {
    let shown = crate::run::shown(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| anyhow!("cannot run `{shown}`: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    bail!(
        "`{shown}` failed ({}):\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
