//! What the supervisor shows.

/// Where a supervised server stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// A process was started and is not ready yet.
    Starting,
    /// It serves.
    Running,
    /// It died by itself; the next start waits for its time.
    BackingOff,
    /// It is down because somebody asked for that.
    Down,
    /// It died too often in a row, or could not be brought back; it stays down until somebody asks for a start.
    Failed,
}

/// A supervised server at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Where it stands.
    pub phase: Phase,
    /// Process id of the server itself, while there is one.
    pub pid: Option<u32>,
    /// How often it came back, by itself or on request, since it was first started.
    pub restarts: u64,
    /// Why it last went down, if it went by itself.
    pub reason: Option<String>,
}
