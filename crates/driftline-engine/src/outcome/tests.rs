//! The evaluator's outcomes from end to end: from the joiner's batches to what is said.

mod budget;
mod calibrated;
mod change;
mod cuts;
mod losses;
mod specs;
mod stream;
mod times;
