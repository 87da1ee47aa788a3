//! What the machine answers to those who want something of it.

/// Answer to one who wants the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// The client exists: take a lease.
    Lease,
    /// A dial is under way: wait for it.
    Join(u64),
    /// Start this dial, then wait for it.
    Dial(u64),
    /// The last dial failed a moment ago: its error is the answer.
    HeldOff,
    /// No leases any more.
    Refused,
}

/// Answer to one who wants the client replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replacement {
    /// There is none: the next dial is new anyway.
    Nothing,
    /// The client in place is from a dial that began later than the wish.
    Done,
    /// A dial that began later than the wish is under way: its outcome is the answer.
    Join(u64),
    /// A dial that began before the wish is under way: wait for its end, then ask again.
    Wait(u64),
    /// Start this dial, then wait for it.
    Dial(u64),
}
