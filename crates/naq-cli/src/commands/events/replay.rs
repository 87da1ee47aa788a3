//! `naq events replay`.

use std::time::SystemTime;

use naq::{EventFilter, Jobs};

use super::filter::Filter;
use super::format::{Format, print};
use crate::context::Context;
use crate::duration;
use crate::error::CliError;
use crate::signals::Signals;

/// Show the stored events of a time, the oldest first
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    filter: Filter,

    /// From then on: a time such as 2026-11-21T09:00:00Z, or how long ago: 90s, 2h, 7d
    #[arg(long, value_name = "WHEN", value_parser = when, default_value = "1h")]
    since: SystemTime,

    /// Until then, in the same forms
    #[arg(long, value_name = "WHEN", value_parser = when)]
    until: Option<SystemTime>,

    /// Show at most so many
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<usize>,

    /// How they are printed
    #[arg(short, long, default_value = "table")]
    format: Format,
}

pub(super) async fn run(context: &Context, jobs: &Jobs, args: Args) -> Result<(), CliError> {
    let signals = Signals::listen()?;
    let filter = EventFilter::from(args.filter);
    let mut replay = Box::pin(jobs.events().replay(args.since, filter)).await?;
    if let Some(until) = args.until {
        replay = replay.until(until);
    }
    let mut left = args.limit.unwrap_or(usize::MAX);
    while left > 0
        && let Some(event) = signals.unless_stopped(replay.next()).await??
    {
        print(context, args.format, &event)?;
        left -= 1;
    }
    Ok(())
}

/// Reads a point in time, or how long ago it was.
fn when(text: &str) -> Result<SystemTime, String> {
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(at.into());
    }
    let ago = duration::parse(text).map_err(
        |_| "write a time like `2026-11-21T09:00:00Z`, or how long ago: `90s`, `2h`, `7d`",
    )?;
    SystemTime::now()
        .checked_sub(ago)
        .ok_or_else(|| "that is too long ago".to_owned())
}
