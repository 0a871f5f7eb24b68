//! Data compiled into the binary: the flights of the demo (see `data/flights/README.md`).

/// A year of predictions, ordered by event time.
pub const FLIGHTS_PREDICTIONS: &[u8] = include_bytes!("../../data/flights/predictions.parquet");

/// Their labels, ordered by the time at which they became known.
pub const FLIGHTS_LABELS: &[u8] = include_bytes!("../../data/flights/labels.parquet");
