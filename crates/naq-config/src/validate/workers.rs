//! Rules of section `workers` that are not ranges.

use std::collections::BTreeSet;

use super::Findings;
use crate::names::check_queue_name;
use crate::settings::{CommandHandler, PoolSettings, WorkersSettings};

pub(super) fn check(workers: &WorkersSettings, findings: &mut Findings<'_>) {
    if workers.heartbeat_interval >= workers.ttl {
        let message = "`workers.heartbeat_interval` must be less than `workers.ttl`, \
                       or a living worker is forgotten between two signs of life";
        findings.keys(&["workers.heartbeat_interval", "workers.ttl"], message);
    }
    if workers.shutdown_timeout > workers.max_job_duration {
        let message = "`workers.shutdown_timeout` must not be more than \
                       `workers.max_job_duration`: no job runs that long";
        findings.keys(
            &["workers.shutdown_timeout", "workers.max_job_duration"],
            message,
        );
    }
    for (name, pool) in &workers.pools {
        check_pool(&format!("workers.pools.{name}"), pool, findings);
    }
    for (kind, handler) in &workers.handlers {
        check_handler(&format!("workers.handlers.{kind}"), handler, findings);
    }
}

fn check_pool(key: &str, pool: &PoolSettings, findings: &mut Findings<'_>) {
    let queues_key = format!("{key}.queues");
    let concurrency_key = format!("{key}.concurrency");
    if pool.queues.is_empty() {
        findings.keys(&[&queues_key, key], "a pool serves at least one queue");
    }
    let mut seen = BTreeSet::new();
    for (index, queue) in pool.queues.iter().enumerate() {
        if let Err(error) = check_queue_name(queue) {
            findings.element(&queues_key, index, error.to_string());
        } else if !seen.insert(queue) {
            findings.element(
                &queues_key,
                index,
                format!("the queue `{queue}` is there twice"),
            );
        }
    }
    if u64::from(pool.concurrency) < pool.queues.len() as u64 {
        let message = format!(
            "a pool of {} queues needs a concurrency of at least {0}, not {}: each queue runs one job",
            pool.queues.len(),
            pool.concurrency
        );
        findings.keys(&[&concurrency_key, &queues_key], message);
    }
}

fn check_handler(key: &str, handler: &CommandHandler, findings: &mut Findings<'_>) {
    let command_key = format!("{key}.command");
    if handler
        .command
        .first()
        .is_none_or(|program| program.trim().is_empty())
    {
        let message = "a handler needs a command: a list of the program and its arguments";
        findings.keys(&[&command_key, key], message);
    }
    if handler
        .command
        .iter()
        .any(|argument| argument.contains('\0'))
    {
        findings.key(&command_key, "an argument must not have a NUL character");
    }
}
