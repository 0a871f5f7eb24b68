//! Readers of CSV, JSON-lines and Parquet files.
