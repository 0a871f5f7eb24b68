//! Writes the Grafana dashboards, or prints their queries.
//!
//! ```text
//! cargo run -p driftline-telemetry --example dashboards -- grafana/
//! cargo run -p driftline-telemetry --example dashboards -- --queries
//! ```
//!
//! `--queries` prints one PromQL expression a line, with the variables replaced so that it matches every
//! series; a test can execute each against a Prometheus that scrapes driftline.

mod builder;
mod model;

use std::io::{Error, Write as _};

fn main() -> Result<(), Error> {
    let to = std::env::args()
        .nth(1)
        .ok_or_else(|| Error::other("usage: dashboards DIRECTORY | --queries"))?;
    for dashboard in model::dashboards() {
        if to == "--queries" {
            for query in dashboard.queries() {
                writeln!(std::io::stdout(), "{query}")?;
            }
        } else {
            let text = format!("{:#}\n", dashboard.json());
            std::fs::write(std::path::Path::new(&to).join(dashboard.file()), text)?;
        }
    }
    Ok(())
}
