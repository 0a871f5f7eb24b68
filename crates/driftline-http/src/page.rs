//! The page.
use driftline_telemetry::Telemetry;
pub(crate) const STYLE: &str = include_str!("style.css");
pub(crate) fn overview(_telemetry: &Telemetry, _reason: Option<String>) -> String {
    crate::html::Text("soon").to_string()
}
