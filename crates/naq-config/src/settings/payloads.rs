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
    /// Whether payloads and results are compressed. Default: none. A job or kind may say otherwise. Who reads them without NAQ has
    /// to know how, and workers and readers of an older version do not.
    pub compression: Compression,
    /// Bytes below which a payload or a result is not compressed. Default 4 KiB.
    pub compress_min: u64,
}

/// How payloads and results are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// As a zlib stream (RFC 1950), which the standard library of nearly each language reads.
    Zlib,
}

impl Compression {
    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Zlib => "zlib",
        }
    }
}

impl Default for PayloadsSettings {
    fn default() -> Self {
        Self {
            inline_max: 512 * 1024,
            max_size: 64 * 1024 * 1024,
            compression: Compression::None,
            compress_min: 4 * 1024,
        }
    }
}
