//! Outcomes: that they are counted right, add up, and survive being written and read.

#![allow(clippy::unwrap_used)] // A test that fails is allowed to panic.

mod columns;
mod documents;
mod properties;
mod recount;
mod rows;
