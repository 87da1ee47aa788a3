//! `naq schedule list`.

use std::collections::BTreeMap;

use naq::{Jobs, QueueName, Schedule, ScheduleName, ScheduleState};
use serde_json::{Value, json};

use super::show::{catch_up, described, overlap, rule, state, when};
use crate::context::Context;
use crate::error::CliError;
use crate::output::Table;

/// Most that one request brings.
const PAGE: usize = 1000;

/// Further columns.
const DETAILS: [&str; 7] = [
    "LEFT", "SKIPPED", "LAST JOB", "START", "END", "CATCH-UP", "OVERLAP",
];

/// List the schedules by name
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only those in this state
    #[arg(short, long, value_name = "STATE")]
    status: Option<StateFlag>,

    /// Only those of this queue
    #[arg(short, long)]
    queue: Option<QueueName>,

    /// Only the one of this name
    #[arg(short = 'j', long, visible_alias = "job-id", value_name = "NAME")]
    name: Option<ScheduleName>,

    /// Show start, end, runs left, skipped runs, the last job and the policies, too
    #[arg(short, long)]
    detailed: bool,

    /// Print JSON: `{"schedules": [...]}`, with all details
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum StateFlag {
    Active,
    Paused,
    Finished,
}

pub(super) async fn run(context: &Context, jobs: &Jobs, args: Args) -> Result<(), CliError> {
    let schedules = read(jobs, &args).await?;
    let out = &context.output;
    if args.json {
        let all: Vec<Value> = schedules.values().map(described).collect();
        return Ok(out.json(&json!({ "schedules": all }))?);
    }
    if schedules.is_empty() {
        out.note("no schedules; `naq schedule create` makes one");
        return Ok(());
    }
    let mut head = vec!["NAME", "STATE", "WHEN", "KIND", "QUEUE", "NEXT", "RUNS"];
    if args.detailed {
        head.extend(DETAILS);
    }
    let mut table = Table::new(&head);
    for schedule in schedules.values() {
        let mut cells = vec![
            schedule.name().to_string(),
            state(schedule).to_owned(),
            rule(schedule),
            schedule.kind(),
            schedule.queue().to_owned(),
            when(schedule.next(), schedule.zone()),
            schedule.runs().to_string(),
        ];
        if args.detailed {
            cells.extend(details(schedule));
        }
        table.row(cells);
    }
    Ok(out.table(table)?)
}

fn details(schedule: &Schedule) -> [String; DETAILS.len()] {
    let none = || "-".to_owned();
    [
        schedule.remaining().map_or_else(none, |n| n.to_string()),
        schedule.skipped().to_string(),
        schedule
            .last_run()
            .map_or_else(none, |(_, id)| id.to_owned()),
        when(schedule.start(), schedule.zone()),
        when(schedule.end(), schedule.zone()),
        catch_up(schedule.catch_up()),
        overlap(schedule.overlap()).to_owned(),
    ]
}

/// All that are asked for.
async fn read(jobs: &Jobs, args: &Args) -> Result<BTreeMap<String, Schedule>, CliError> {
    let mut found = match &args.name {
        Some(name) => jobs
            .schedules()
            .get(name)
            .await?
            .into_iter()
            .map(named)
            .collect(),
        None => all(jobs).await?,
    };
    found.retain(|_, schedule| {
        let wanted = match args.status {
            None => true,
            Some(StateFlag::Active) => schedule.state() == ScheduleState::Active,
            Some(StateFlag::Paused) => schedule.state() == ScheduleState::Paused,
            Some(StateFlag::Finished) => schedule.state() == ScheduleState::Finished,
        };
        let queue = args.queue.as_ref();
        wanted && queue.is_none_or(|queue| queue.as_str() == schedule.queue())
    });
    Ok(found)
}

/// By name: one that fires meanwhile may come twice, and the newer one counts.
async fn all(jobs: &Jobs) -> Result<BTreeMap<String, Schedule>, CliError> {
    let (mut found, mut from) = (BTreeMap::new(), 0);
    loop {
        let page = jobs.schedules().list(from, PAGE).await?;
        found.extend(page.schedules.into_iter().map(named));
        match page.next {
            Some(next) => from = next,
            None => return Ok(found),
        }
    }
}

fn named(schedule: Schedule) -> (String, Schedule) {
    (schedule.name().to_string(), schedule)
}
