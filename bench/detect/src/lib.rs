//! What the detection benchmarks share.

use std::fs;
use std::thread;

use rustix::time::{ClockId, clock_gettime};

/// CPU time of the calling thread so far, in nanoseconds: other processes cannot slow it down.
pub fn cpu_nanos() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// The date in UTC, as 2026-11-23.
pub fn today() -> String {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    let now = driftline_event::Timestamp::from_seconds(since.as_secs() as i64).to_string();
    now.split('T').next().unwrap_or_default().to_owned()
}

/// The processor, as Linux names it, and how many of its threads there are.
pub fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{threads} × {}, {}",
        name.unwrap_or("unknown"),
        std::env::consts::OS
    )
}

/// xoshiro256++ (Blackman and Vigna 2019), seeded by splitmix64: the same numbers on every machine.
#[derive(Clone, Debug)]
pub struct Xoshiro([u64; 4]);

impl Xoshiro {
    /// The sequence of a seed.
    pub fn new(mut seed: u64) -> Self {
        Self(std::array::from_fn(|_| {
            seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }
}
