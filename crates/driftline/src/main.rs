//! The `driftline` binary. Everything of substance lives in the library, where tests can reach it.

use std::process::ExitCode;

/// Serves C's allocations too (librdkafka allocates per message), through the crate's `override` feature.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    driftline::main()
}
