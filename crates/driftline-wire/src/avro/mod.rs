//! Avro: a writer's schema compiled to a flat program, and the cursor that runs it over messages.

mod compile;
mod cursor;
mod input;
mod program;

pub use compile::SchemaError;
pub(crate) use compile::{Bounds, compile};
pub(crate) use cursor::run;
pub(crate) use program::Program;
