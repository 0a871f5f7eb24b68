//! Prints `docs/metrics.md`.
//!
//! ```text
//! cargo run -p driftline-telemetry --example metrics_page > docs/metrics.md
//! ```

#[path = "../tests/page/mod.rs"]
mod page;

use std::io::Write as _;

fn main() -> Result<(), std::io::Error> {
    std::io::stdout().write_all(page::metrics_page().as_bytes())
}
