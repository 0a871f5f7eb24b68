//! Schedules of predictions and labels, the join run over them, and an exact oracle.
//!
//! - [`schedule()`] makes, from a seed, the records of both topics: labels before, long after and without their prediction,
//!   several versions that score one request, corrections, duplicates, losses.
//! - [`land`] runs both forwarders over them, with flushes that fail, and gives the log of every outcomes partition.
//! - [`join()`] runs joiners over the logs that are killed and built again, and sums up what they put out.
//! - [`join_oracle`] joins the same logs in the plainest way there is.

mod land;
mod models;
mod oracle;
mod run;
mod schedule;

pub use land::{JoinLog, Landed, LandedBatch, land};
pub use models::join_models;
pub use oracle::{join_oracle, join_oracle_of_sets};
pub use run::{JoinPlan, JoinRun, JoinSums, OutcomeKey, PredictedKey, join};
pub use schedule::{JoinEvent, JoinSchedule, LabelSample, PredictionSample, schedule};
