//! Prints the metrics of a small made-up service: every metric of the catalogue, with hostile names among
//! the features. Its output is what `promtool check metrics` is run on.

#[path = "../tests/common/mod.rs"]
mod common;

use std::io::Write as _;

use driftline_telemetry::TelemetryOptions;

fn main() -> Result<(), std::io::Error> {
    let options = TelemetryOptions {
        segments: true,
        ..TelemetryOptions::default()
    };
    std::io::stdout().write_all(common::busy(options).render().as_bytes())
}
