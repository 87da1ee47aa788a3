//! The flags that say which dead letters are meant.

use std::time::Duration;

use naq::{DeadFilter, QueueName};

use crate::duration::parse_positive;

/// Which dead letters are meant.
#[derive(Debug, Default, clap::Args)]
pub(super) struct FilterFlags {
    /// Only those of this queue
    #[arg(short, long)]
    queue: Option<QueueName>,

    /// Only those of this kind
    #[arg(short, long)]
    kind: Option<String>,

    /// Only those that failed so: error, fatal, panic, timeout, deliveries, unknown_kind, ...
    #[arg(short, long)]
    reason: Option<String>,

    /// Only those with this text in their error
    #[arg(short, long, value_name = "TEXT")]
    error: Option<String>,

    /// Only those of this group, as `naq dead groups` names it
    #[arg(short, long, value_name = "GROUP")]
    group: Option<String>,

    /// Only those that died at least so long ago
    #[arg(long, value_name = "TIME", value_parser = parse_positive)]
    older_than: Option<Duration>,

    /// Only those that died at most so long ago
    #[arg(long, value_name = "TIME", value_parser = parse_positive)]
    newer_than: Option<Duration>,
}

impl FilterFlags {
    pub(super) fn filter(self) -> DeadFilter {
        DeadFilter {
            queue: self.queue,
            kind: self.kind,
            reason: self.reason,
            error: self.error,
            fingerprint: self.group,
            older_than: self.older_than,
            newer_than: self.newer_than,
        }
    }
}
