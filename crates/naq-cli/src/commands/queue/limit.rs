//! `naq queue limit`: sets limits of a queue, or shows what is set.

use naq::{Jobs, QueueName, QueueOrder, QueueSetting, Rate};
use serde_json::{Value, json};

use crate::commands::operator::controls;
use crate::context::Context;
use crate::error::CliError;

/// Limit how many jobs of a queue run; without flags: show what is set
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What is set here wins over the configuration of the workers. A number of 0 means no limit. Jobs \
                  that have to wait hold no slot and lose no attempt.\n\nExamples:\n  \
                  naq queue limit mail --running 50 --rate 100/s\n  \
                  naq queue limit reports --running-per-key 2\n  naq queue limit mail --clear"
)]
pub(super) struct Args {
    /// The queue
    queue: QueueName,

    /// Jobs that run at the same time in one worker
    #[arg(long, value_name = "N")]
    per_worker: Option<u32>,

    /// Jobs that run at the same time, over all workers
    #[arg(long, value_name = "N")]
    running: Option<u32>,

    /// Jobs with the same limit key that run at the same time, over all workers
    #[arg(long, value_name = "N")]
    running_per_key: Option<u32>,

    /// Starts over all workers, such as 100/s, 30/1m or '5/s burst 1'
    #[arg(long)]
    rate: Option<Rate>,

    /// Starts of jobs with the same limit key, over all workers
    #[arg(long, value_name = "RATE")]
    rate_per_key: Option<Rate>,

    /// How the priorities share the workers
    #[arg(long, value_name = "NAME")]
    order: Option<Order>,

    /// First take away what was set before
    #[arg(long)]
    clear: bool,

    /// Print JSON: what is set for the queue
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Order {
    /// A lower one waits while a higher one has jobs
    Strict,
    /// Of 9 jobs, 6 are high, 2 normal, 1 low
    Weighted,
}

pub(super) async fn run(context: &Context, jobs: &Jobs, args: Args) -> Result<(), CliError> {
    let queue = &args.queue;
    let set = match args.changes_something() {
        true => {
            controls(jobs)
                .limit_queue(queue, |set| args.apply(set))
                .await?
        }
        false => jobs.controls().queue(queue).await?,
    };
    if args.json {
        return Ok(context.output.json(&described(queue, &set))?);
    }
    let lines = shown(&set);
    if lines.is_empty() {
        context.output.note(format!("nothing is set for {queue}"));
    }
    for (name, value) in lines {
        context.output.line(format!("{name}: {value}"))?;
    }
    Ok(())
}

impl Args {
    fn changes_something(&self) -> bool {
        let numbers = [self.per_worker, self.running, self.running_per_key];
        self.clear
            || numbers.iter().any(Option::is_some)
            || self.rate.is_some()
            || self.rate_per_key.is_some()
            || self.order.is_some()
    }

    /// What is not said stays.
    fn apply(&self, set: &mut QueueSetting) {
        if self.clear {
            *set = QueueSetting {
                scale: set.scale,
                ..QueueSetting::default()
            };
        }
        set.concurrency = self.per_worker.or(set.concurrency);
        set.max_running = self.running.or(set.max_running);
        set.max_running_per_key = self.running_per_key.or(set.max_running_per_key);
        set.rate = self.rate.or(set.rate);
        set.rate_per_key = self.rate_per_key.or(set.rate_per_key);
        let order = self.order.map(|order| match order {
            Order::Strict => QueueOrder::Strict,
            Order::Weighted => QueueOrder::Weighted,
        });
        set.order = order.or(set.order);
    }
}

/// What is set, as JSON.
pub(super) fn described(queue: &QueueName, set: &QueueSetting) -> Value {
    let mut value = json!(set);
    value["queue"] = json!(queue.as_str());
    value
}

fn shown(set: &QueueSetting) -> Vec<(&'static str, String)> {
    let paused = set.paused.as_ref().map(|paused| match &paused.reason {
        Some(reason) => format!("yes ({reason})"),
        None => "yes".to_owned(),
    });
    let number = |limit: Option<u32>| match limit {
        Some(0) => Some("no limit".to_owned()),
        limit => limit.map(|limit| limit.to_string()),
    };
    let order = set.order.map(|order| match order {
        QueueOrder::Strict => "strict".to_owned(),
        QueueOrder::Weighted => "weighted".to_owned(),
    });
    let all = [
        ("paused", paused),
        ("slots of each worker", number(set.scale)),
        ("running in one worker", number(set.concurrency)),
        ("running over all workers", number(set.max_running)),
        ("running per key", number(set.max_running_per_key)),
        ("rate", set.rate.map(|rate| rate.to_string())),
        (
            "rate per key",
            set.rate_per_key.map(|rate| rate.to_string()),
        ),
        ("order", order),
    ];
    all.into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}
