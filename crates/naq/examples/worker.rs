//! A worker of your own: `cargo run --example worker`, with a server from `naq dev` in another terminal.
//!
//! Enqueue for it with `naq enqueue add '[2, 3]' --wait`. Ctrl-C lets running jobs finish, or hands them back.

use naq::{JobContext, JobError, Jobs, Kind, Loader};

const ADD: Kind<Vec<i64>, i64> = Kind::new("add").retries(2);

async fn add(_: JobContext, numbers: Vec<i64>) -> Result<i64, JobError> {
    let sum = numbers.iter().try_fold(0_i64, |sum, n| sum.checked_add(*n));
    sum.ok_or_else(|| JobError::fatal(JobError::message("the sum is too large")))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings = Loader::new()
        .standard_files()
        .process_env()
        .load()?
        .settings;
    let jobs = Jobs::connect(settings).await?;
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    jobs.worker().handle(ADD, add).run_until(stop).await?;
    jobs.shutdown().await;
    Ok(())
}
