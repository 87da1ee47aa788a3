//! `naq-bench connections`: leases against the bare client and against pools, as ratios.
//! `naq-bench soak`: hours of scopes under failures, and whether memory and files stay flat.
//!
//! ```text
//!   args ──► connections/ (one file a row) ──► report: rows, table, JSON
//!        └─► soak/ (load, faults, samples) ──► verdict
//!   below: rig (the server), rounds (interleaved samples), load (64 tasks), peers (pools), raw (bare client), stats
//! ```
#![expect(clippy::print_stdout, reason = "a command line tool prints")]
#![expect(clippy::print_stderr, reason = "a command line tool prints")]

use std::process::ExitCode;

use clap::Parser;

mod args;
mod connections;
mod load;
mod peers;
mod progress;
mod raw;
mod report;
mod rig;
mod rounds;
mod soak;
mod stats;

use args::{Args, Command};

/// What stops a measurement. A missed target does not.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Connections(options) => connections::run(&options).await,
        Command::Soak(options) => soak::run(&options).await,
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
