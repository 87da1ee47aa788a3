//! `naq schedule list`.

use std::collections::BTreeMap;

use naq::{Jobs, QueueName, Schedule, ScheduleState};
use serde_json::{Value, json};

use super::show::{described, rule, state, when};
use crate::context::Context;
use crate::error::CliError;
use crate::output::Table;

/// Most that one request brings.
const PAGE: usize = 1000;

/// List the schedules by name
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only those in this state
    #[arg(short, long, value_name = "STATE")]
    status: Option<StateFlag>,

    /// Only those of this queue
    #[arg(short, long)]
    queue: Option<QueueName>,

    /// Print JSON: `{"schedules": [...]}`
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
    let mut table = Table::new(&["NAME", "STATE", "WHEN", "KIND", "QUEUE", "NEXT", "RUNS"]);
    for schedule in schedules.values() {
        table.row([
            schedule.name().to_string(),
            state(schedule).to_owned(),
            rule(schedule),
            schedule.kind(),
            schedule.queue().to_owned(),
            when(schedule.next(), schedule.zone()),
            schedule.runs().to_string(),
        ]);
    }
    Ok(out.table(table)?)
}

/// All that are asked for, by name: one that fires meanwhile may come twice, and the newer one counts.
async fn read(jobs: &Jobs, args: &Args) -> Result<BTreeMap<String, Schedule>, CliError> {
    let (mut found, mut from) = (BTreeMap::new(), 0);
    loop {
        let page = jobs.schedules().list(from, PAGE).await?;
        for schedule in page.schedules {
            found.insert(schedule.name().to_string(), schedule);
        }
        match page.next {
            Some(next) => from = next,
            None => break,
        }
    }
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
