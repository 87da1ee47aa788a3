//! Section `payloads`: what is too large for a message.

/// Section `payloads`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadsSettings {
    /// Bytes above which a payload or a result is kept in the object store and not in the message. Default 512 KiB. What
    /// does not fit into a message goes there in any case.
    pub inline_max: u64,
    /// Bytes of the largest payload or result that the object store takes; 0: none goes there. Default 64 MiB. All of it is
    /// in memory when the job is enqueued and when it runs.
    pub max_size: u64,
}

impl Default for PayloadsSettings {
    fn default() -> Self {
        Self {
            inline_max: 512 * 1024,
            max_size: 64 * 1024 * 1024,
        }
    }
}
