//! Serves the page over made-up models until its input ends, to look at it:
//! `cargo run -p driftline-http --example preview -- 9465`.

#[path = "../../driftline-telemetry/tests/common/mod.rs"]
mod common;

use std::io::{Error, Read as _, Write as _};
use std::time::Duration;

use driftline_event::{ColumnRole, SeriesKey, SeriesState};
use driftline_http::{HttpOptions, Readiness, serve};
use driftline_telemetry::{ModelInfo, TelemetryOptions};

fn main() -> Result<(), Error> {
    let port = std::env::args()
        .nth(1)
        .and_then(|p| p.parse().ok())
        .unwrap_or(0);
    let telemetry = common::busy(TelemetryOptions::default());
    for step in 0..48 {
        for (i, feature) in ["distance", "air_time", "dep_delay", "carrier"]
            .into_iter()
            .enumerate()
        {
            let wave = (f64::from(step) / (4.0 + i as f64)).sin().abs() * 0.1;
            let drift = if i == 2 {
                f64::from(step) / 130.0
            } else {
                0.02
            };
            let mut report = common::report(
                common::series("flights-delay", feature),
                "24h",
                wave + drift,
            );
            if feature == "carrier" {
                report.state = SeriesState::NotEnoughData;
            }
            report.window.end = report
                .window
                .end
                .saturating_add(Duration::from_secs(3_600 * step as u64));
            telemetry.record_report(report);
        }
    }
    let output = SeriesKey {
        role: ColumnRole::Output,
        ..common::series("flights-delay", "score")
    };
    telemetry.record_report(common::report(output, "24h", 0.05));
    telemetry.register_model(ModelInfo {
        model: "fraud".to_owned(),
        version: "2026-11".to_owned(),
        ..ModelInfo::default()
    });
    let readiness = Readiness::new("waiting for partitions");
    readiness.ready();
    let options = HttpOptions {
        bind: ([127, 0, 0, 1], port).into(),
        ..HttpOptions::default()
    };
    let server = serve(options, telemetry, readiness).map_err(Error::other)?;
    writeln!(std::io::stdout(), "http://{}", server.local_addr())?;
    let _ = std::io::stdin().read(&mut [0])?;
    server.shutdown();
    Ok(())
}
