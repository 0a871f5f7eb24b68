//! The indicator bank on its own: its cost, its delays and its budget.
//!
//! `cargo run --release -p driftline-bench-detect --bin bank -- cost`

mod budget;
mod cost;
mod delays;
mod engine;
mod random;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// What the random numbers start from.
    #[arg(long, global = true, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Nanoseconds and bytes of a step.
    Cost {
        /// Banks stepped in turn; with many, none is in a cache.
        #[arg(long, default_value_t = 10_000)]
        features: usize,
    },
    /// False alarms under adversarial dependence beside their bound; fails if there are more.
    Budget {
        /// Simulated streams for each number of events.
        #[arg(long, default_value_t = 100)]
        runs: usize,
    },
    /// Median detection delays with their intervals beside the published ones, as markdown; fails if one is later.
    Delays {
        /// Simulated streams for each row.
        #[arg(long, default_value_t = 200)]
        replicates: usize,
        /// Minutes without a shift before it.
        #[arg(long, default_value_t = 60)]
        quiet: i32,
    },
    /// Microseconds of the evaluator for a feature and pane, with decisions and without; fails if 1,000 models of 100
    /// features take more than half a core.
    Engine {
        /// Models that are simulated; the figures are scaled up.
        #[arg(long, default_value_t = 50)]
        models: usize,
        /// Columns of each.
        #[arg(long, default_value_t = 100)]
        features: usize,
        /// Events of each model in a minute.
        #[arg(long, default_value_t = 60)]
        events: usize,
        /// Minutes that are measured.
        #[arg(long, default_value_t = 30)]
        minutes: i64,
        /// A shift of all columns in standard deviations: what it costs while everything has an alert.
        #[arg(long, default_value_t = 0.0)]
        shift: f64,
    },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.command {
        Command::Cost { features } => cost::run(features, arguments.seed),
        Command::Engine {
            models,
            features,
            events,
            minutes,
            shift,
        } => {
            let load = engine::Load {
                models,
                features,
                events,
                minutes,
                shift,
            };
            engine::run(load, arguments.seed)?;
        }
        Command::Budget { runs } => budget::run(runs, arguments.seed)?,
        Command::Delays { replicates, quiet } => delays::run(replicates, quiet, arguments.seed)?,
    }
    Ok(())
}
