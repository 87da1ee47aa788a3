//! `naq schedule show`.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use naq::{
    CatchUp, Jobs, Overlap, Schedule, ScheduleName, ScheduleReason, ScheduleRule, ScheduleState,
};
use serde_json::{Value, json};

use super::show_firings::{self, show};
use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;
use crate::output::Table;

/// Show a schedule and its next firings, in its zone and in UTC
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The schedule's name
    name: ScheduleName,

    /// Show so many firings
    #[arg(short = 'n', long, value_name = "N", default_value = "10")]
    #[arg(value_parser = clap::value_parser!(u16).range(0..=1000))]
    count: u16,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(context: &Context, jobs: &Jobs, args: Args) -> Result<(), CliError> {
    let schedule = jobs
        .schedules()
        .get(&args.name)
        .await?
        .ok_or_else(|| not_there(&args.name))?;
    let firings = schedule.next_firings(args.count.into());
    let out = &context.output;
    if args.json {
        let mut value = described(&schedule);
        let zone = schedule.zone();
        let firings = firings.iter().map(|f| show_firings::described(f, zone));
        value["firings"] = firings.collect();
        return Ok(out.json(&value)?);
    }
    let explained = jobs.explain_schedule(&args.name).await?;
    let mut table = Table::headless();
    table.row(["name", schedule.name().as_str()]);
    table.row(["state", state(&schedule)]);
    table.row(["when", &rule(&schedule)]);
    table.row(["kind", &schedule.kind()]);
    table.row(["queue", schedule.queue()]);
    if let Some(left) = schedule.remaining() {
        table.row(["runs left", &left.to_string()]);
    }
    for (what, time) in [("start", schedule.start()), ("end", schedule.end())] {
        if time.is_some() {
            table.row([what, &when(time, schedule.zone())]);
        }
    }
    if !schedule.jitter().is_zero() {
        let jitter = format!("{:?}", schedule.jitter());
        table.row(["jitter", &jitter]);
    }
    table.row(["catch-up", &catch_up(schedule.catch_up())]);
    table.row(["overlap", overlap(schedule.overlap())]);
    table.row(["runs", &schedule.runs().to_string()]);
    table.row(["skipped", &schedule.skipped().to_string()]);
    if let Some((_, id)) = schedule.last_run() {
        table.row(["last job", id]);
    }
    for (name, values) in schedule.headers() {
        table.row([name.as_str(), &values.join(", ")]);
    }
    out.table(table)?;
    if let Some(explained) = explained {
        for reason in explained.reasons {
            if !matches!(reason, ScheduleReason::Fires { .. }) {
                out.note(reason.to_string());
            }
        }
    }
    if firings.is_empty() {
        return Ok(());
    }
    out.line("")?;
    show(context, schedule.zone(), &firings, false)
}

/// What is known of it, without its firings.
pub(super) fn described(schedule: &Schedule) -> Value {
    let mut value = json!({
        "name": schedule.name().as_str(),
        "state": state(schedule),
        "kind": schedule.kind(),
        "queue": schedule.queue(),
        "next": utc(schedule.next()),
        "start": utc(schedule.start()),
        "end": utc(schedule.end()),
        "remaining": schedule.remaining(),
        "jitter_s": schedule.jitter().as_secs(),
        "priority": schedule.priority(),
        "headers": schedule.headers(),
        "last_fired": schedule.last_fired().map(|(job_id, after)| json!({ "job_id": job_id, "after": after })),
        "catch_up": schedule.catch_up(),
        "overlap": schedule.overlap(),
        "runs": schedule.runs(),
        "skipped": schedule.skipped(),
        "last": schedule.last_run().map(|(at, id)| json!({ "at": utc(Some(at)), "job_id": id })),
    });
    match schedule.rule() {
        ScheduleRule::Every(interval) if interval.subsec_nanos() == 0 => {
            value["every_s"] = interval.as_secs().into();
        }
        ScheduleRule::Every(interval) => value["every_s"] = interval.as_secs_f64().into(),
        ScheduleRule::Cron { text, zone, dst } => {
            value["cron"] = text.into();
            value["zone"] = zone.into();
            value["dst"] = dst.as_str().into();
        }
        _ => {}
    }
    value
}

pub(super) fn state(schedule: &Schedule) -> &'static str {
    match schedule.state() {
        ScheduleState::Active => "active",
        ScheduleState::Paused => "paused",
        ScheduleState::Finished => "finished",
    }
}

/// `0 9 * * * (Europe/Amsterdam)`, or `every 30s`.
pub(super) fn rule(schedule: &Schedule) -> String {
    match schedule.rule() {
        ScheduleRule::Cron { text, zone, .. } => format!("{text} ({zone})"),
        ScheduleRule::Every(interval) => format!("every {}", humantime::format_duration(interval)),
        _ => "?".to_owned(),
    }
}

/// A time in its zone, or `-`.
pub(super) fn when(time: Option<SystemTime>, zone: &str) -> String {
    let Some(at) = time.and_then(|time| Timestamp::try_from(time).ok()) else {
        return "-".to_owned();
    };
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    at.to_zoned(zone)
        .strftime("%Y-%m-%d %H:%M:%S%.f %:z")
        .to_string()
}

fn utc(time: Option<SystemTime>) -> Option<String> {
    let at = Timestamp::try_from(time?).ok()?;
    Some(at.to_string())
}

pub(super) fn catch_up(policy: CatchUp) -> String {
    match policy {
        CatchUp::None => "none".to_owned(),
        CatchUp::One => "one".to_owned(),
        CatchUp::All { most, within } => {
            let within = humantime::format_duration(within);
            format!("all, at most {most}, not older than {within}")
        }
    }
}

pub(super) fn overlap(policy: Overlap) -> &'static str {
    match policy {
        Overlap::Skip => "skip",
        Overlap::Queue => "queue",
        _ => "allow",
    }
}

pub(super) fn not_there(name: &ScheduleName) -> CliError {
    CliError::new(exit_code::NOT_FOUND, format!("there is no schedule {name}"))
        .hint("`naq schedule list` lists those that there are")
}
