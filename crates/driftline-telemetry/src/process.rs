//! The process's own figures under their standard names.

use std::time::{Duration, SystemTime};

/// CPU time used so far; none where `/proc` does not say.
pub(crate) fn cpu_time() -> Option<Duration> {
    // The command name, field 2, may hold spaces and brackets, so fields are counted after its end.
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    // Linux reports these in USER_HZ, which is 100 on every architecture that Rust builds for.
    Some(Duration::from_millis(ticks.saturating_mul(10)))
}

/// Resident memory in bytes; none where `/proc` does not say.
pub(crate) fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<u64>()
        .ok()?
        .checked_mul(1_024)
}

/// Now, in seconds since the epoch.
pub(crate) fn unix_seconds() -> f64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0.0, |d| d.as_secs_f64())
}
