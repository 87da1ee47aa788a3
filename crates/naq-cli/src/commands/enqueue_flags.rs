//! The flags of `naq enqueue` that say which job of a key counts, and what it waits for.

use std::time::Duration;

use naq::{Compression, Job, JobId, Unique};

use crate::duration::parse_positive;
use crate::error::CliError;

/// Which job of a key counts, and what it waits for.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct EnqueueFlags {
    /// Enqueue it only if no other job of this key waits or runs in its queue; else print the id of that one
    #[arg(long, value_name = "KEY")]
    unique: Option<String>,

    /// The key stays taken for so long after the enqueue, also if the job ends before
    #[arg(long, value_name = "TIME", value_parser = parse_positive, requires = "unique")]
    #[arg(group = "policy")]
    unique_for: Option<Duration>,

    /// A job of the key that waits gets this payload, under its old id
    #[arg(long, requires = "unique", group = "policy")]
    replace: bool,

    /// Run it when the key has been quiet for so long; each enqueue begins anew
    #[arg(long, value_name = "TIME", value_parser = parse_positive, requires = "unique")]
    #[arg(group = "policy", conflicts_with_all = ["delay", "at"])]
    debounce: Option<Duration>,

    /// At most one of the key in so much time, whatever still waits
    #[arg(long, value_name = "TIME", value_parser = parse_positive, requires = "unique")]
    #[arg(group = "policy")]
    throttle: Option<Duration>,

    /// Compress the payload, and with it the result: none or zlib [default: `payloads.compression`]
    #[arg(long, value_name = "NAME")]
    compress: Option<CompressFlag>,

    /// Run it once these jobs have completed, with commas; it never runs if one of them fails
    #[arg(
        long,
        visible_alias = "depends-on",
        value_name = "ID",
        value_delimiter = ','
    )]
    #[arg(conflicts_with_all = ["unique", "batch", "compress"])]
    after: Vec<JobId>,

    /// The trace that it belongs to: the header `traceparent` of W3C Trace Context
    #[arg(long, value_name = "TEXT")]
    trace_parent: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum CompressFlag {
    /// As it is
    None,
    /// As a zlib stream, if that is shorter
    Zlib,
}

impl EnqueueFlags {
    /// The jobs that have to complete first.
    pub(super) fn after(&self) -> &[JobId] {
        &self.after
    }

    /// Whether there is a key.
    pub(super) fn is_unique(&self) -> bool {
        self.unique.is_some()
    }

    /// Sets what was asked for.
    pub(super) fn apply(self, mut job: Job) -> Result<Job, CliError> {
        if let Some(key) = self.unique {
            let unique = Unique::key(key);
            job = job.unique(match (self.unique_for, self.debounce, self.throttle) {
                (Some(window), ..) => unique.within(window),
                (_, Some(wait), _) => unique.debounce(wait),
                (.., Some(window)) => unique.throttle(window),
                _ if self.replace => unique.replace(),
                _ => unique,
            });
        }
        match self.compress {
            Some(CompressFlag::None) => job = job.compression(Compression::None),
            Some(CompressFlag::Zlib) => job = job.compression(Compression::Zlib),
            None => {}
        }
        if let Some(text) = self.trace_parent {
            job = job.trace_parent(text)?;
        }
        Ok(job)
    }
}
