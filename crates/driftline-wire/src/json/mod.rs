//! JSON straight into the scratch, without a tree of the message.
//!
//! Of a name that stands twice in an object the last value counts; objects of the same name add up.
//! Numbers beyond 64-bit integers are read as doubles. `NaN` is not JSON: write `null`, or the texts
//! `"NaN"`, `"Infinity"`, `"-Infinity"`, which numeric columns understand.
//! Levels are read down to 128, whatever `nesting_max` says.

mod compile;
mod parse;
mod scan;

pub(crate) use compile::{Program, compile};
pub(crate) use parse::run;
