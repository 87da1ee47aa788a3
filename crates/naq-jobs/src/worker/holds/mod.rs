//! The leases that this worker holds: the table, the job's end of it, and the task that renews them.

mod held;
mod hold;
mod lease;
mod renewal;
mod table;

pub(super) use hold::Hold;
pub(super) use table::Holds;
