//! Many dead letters at once: `naq dead retry --all`, `naq dead delete --all`, `naq dead purge`.

use indicatif::ProgressBar;
use naq::{DeadBulk, DeadFilter, Jobs};
use serde_json::json;

use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;
use crate::output::grouped;
use crate::signals::Signals;

/// What is done to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Retry,
    Delete,
}

/// How it is done.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) deed: Deed,
    pub(super) filter: DeadFilter,
    pub(super) most: u64,
    pub(super) is_dry_run: bool,
    pub(super) as_json: bool,
}

pub(super) async fn run(context: &Context, jobs: &Jobs, order: Order) -> Result<(), CliError> {
    let letters = jobs.dead_letters();
    let matched = letters.count(&order.filter).await?.min(order.most);
    if order.is_dry_run {
        return said(context, &order, matched, &DeadBulk::default());
    }
    let signals = Signals::listen()?;
    let bar = progress(context, &order, matched);
    let told = |bulk: &DeadBulk| bar.set_position(bulk.matched);
    let done = signals
        .unless_stopped(async {
            match order.deed {
                Deed::Retry => letters.requeue_all(&order.filter, order.most, told).await,
                Deed::Delete => letters.delete_all(&order.filter, order.most, told).await,
            }
        })
        .await;
    bar.finish_and_clear();
    let done =
        done.map_err(|error| error.hint("call it again: it goes on with what is left"))??;
    said(context, &order, done.matched, &done)?;
    match &done.first_error {
        None => Ok(()),
        Some(error) => Err(CliError::new(
            exit_code::INTERNAL,
            format!(
                "{} dead letters were refused, the first: {error}",
                done.failed
            ),
        )),
    }
}

fn progress(context: &Context, order: &Order, matched: u64) -> ProgressBar {
    let template = "{bar:40} {human_pos}/{human_len} {per_sec}";
    match order.as_json {
        true => ProgressBar::hidden(),
        false => context.output.progress(Some(matched), template),
    }
}

fn said(context: &Context, order: &Order, matched: u64, bulk: &DeadBulk) -> Result<(), CliError> {
    if order.as_json {
        return Ok(context.output.json(&json!({
            "matched": matched,
            "done": bulk.done,
            "failed": bulk.failed,
            "dry_run": order.is_dry_run,
        }))?);
    }
    let deed = match order.deed {
        Deed::Retry => "put back into their queues",
        Deed::Delete => "deleted",
    };
    let line = match order.is_dry_run {
        true => format!("{} would be {deed}", grouped(matched)),
        false => format!("{} of {} {deed}", grouped(bulk.done), grouped(matched)),
    };
    Ok(context.output.line(line)?)
}
