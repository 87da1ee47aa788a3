//! `naq schedule preview`: when a cron expression is due. Needs no server.

use std::time::SystemTime;

use naq::{Timetable, TimetableError, Zone};

use super::plan_flags::DstFlag;
use super::show_firings::show;
use crate::commands::enqueue::moment;
use crate::context::Context;
use crate::error::CliError;

/// Show when a cron expression is due, in its zone and in UTC; needs no server
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  naq schedule preview '0 9 * * mon-fri' --zone Europe/Amsterdam
  naq schedule preview '30 2 * * *' --zone Europe/Amsterdam --from 2024-03-30T12:00:00Z --dst once")]
pub(super) struct Args {
    /// Five fields (minute, hour, day of month, month, day of week), six with seconds first, or a name like @daily
    cron: String,

    /// The time zone, a name of the IANA database
    #[arg(short, long, value_name = "ZONE", default_value = "UTC")]
    zone: String,

    /// Times that the clock skips and repeats in spring and autumn: fire at most once, once, or twice
    #[arg(long, value_name = "POLICY", default_value = "once")]
    dst: DstFlag,

    /// Show so many
    #[arg(short = 'n', long, value_name = "N", default_value = "10")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    count: u16,

    /// Show those after this moment, RFC 3339 [default: now]
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    from: Option<SystemTime>,

    /// Print JSON: `{"zone": ..., "firings": [{"at", "local", "dst"}]}`
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<(), CliError> {
    let table = table(args).map_err(|error| CliError::usage(error.to_string()))?;
    let zone = Zone::new(&args.zone).map_err(|error| CliError::usage(error.to_string()))?;
    let from = args.from.unwrap_or_else(SystemTime::now);
    let firings: Vec<_> = table.firings_after(from).take(args.count.into()).collect();
    show(context, zone.name(), &firings, args.json)
}

fn table(args: &Args) -> Result<Timetable, TimetableError> {
    let table = Timetable::cron(&args.cron)?.zone(&args.zone)?;
    Ok(table.dst(args.dst.into()))
}
