//! Clocks that other processes cannot slow down.

use std::collections::BTreeMap;
use std::ffi::OsString;

use rustix::time::{ClockId, clock_gettime};

/// CPU time of the calling thread so far, user and system, in nanoseconds.
#[must_use]
pub fn thread_cpu_nanos() -> f64 {
    nanos(ClockId::ThreadCPUTime)
}

/// CPU time of all threads of this process so far, also of those that have ended, in nanoseconds.
#[must_use]
pub fn process_cpu_nanos() -> f64 {
    nanos(ClockId::ProcessCPUTime)
}

fn nanos(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// CPU time of every living thread of this process, by thread id, with its name; empty where Linux does not
/// tell.
#[must_use]
pub fn threads_cpu_nanos() -> BTreeMap<OsString, (String, f64)> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return BTreeMap::new();
    };
    let mut threads = BTreeMap::new();
    for task in tasks.flatten() {
        let name = std::fs::read_to_string(task.path().join("comm"));
        let ran = std::fs::read_to_string(task.path().join("schedstat"));
        let (Ok(name), Ok(ran)) = (name, ran) else {
            continue;
        };
        if let Some(nanos) = ran.split_whitespace().next().and_then(|n| n.parse().ok()) {
            threads.insert(task.file_name(), (name.trim().to_owned(), nanos));
        }
    }
    threads
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_run_while_there_is_work() {
        let (thread, process) = (thread_cpu_nanos(), process_cpu_nanos());
        // The two clocks need not be read to the same moment, so each only has to go on.
        let is_short = || thread_cpu_nanos() < thread + 2e6 || process_cpu_nanos() < process + 2e6;
        let mut work = (1..=50_000_000_u64).map(std::hint::black_box);
        while is_short() {
            assert!(work.next().is_some(), "a CPU clock stands still");
        }
    }
}
