//! What this process uses, as the system counts it (Linux).

use std::fs;

use tokio::runtime::Handle;

use crate::Outcome;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Vitals {
    /// Memory of its own that is in use. Without the pages of the program's file, which come with
    /// the code that runs.
    pub(super) rss_kib: u64,
    pub(super) files: usize,
    /// Of the runtime.
    pub(super) tasks: usize,
}

impl Vitals {
    pub(super) fn read() -> Outcome<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let rss = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let rss = rss.and_then(|rest| rest.split_whitespace().next());
        Ok(Self {
            rss_kib: rss.ok_or("/proc/self/status has no RssAnon")?.parse()?,
            // One of them is the listing itself.
            files: fs::read_dir("/proc/self/fd")?.count() - 1,
            tasks: Handle::current().metrics().num_alive_tasks(),
        })
    }
}
