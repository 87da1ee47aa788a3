//! Enqueues a job that is to be the only one of its key.
//!
//! ```text
//!   STORE (nothing may be there) ── stored ───────────────► new
//!     ▲  │ refused
//!     │  ▼
//!     │ LOOK ── gone meanwhile ──► STORE
//!     │  │
//!     │  ▼
//!     │ DECIDE (pure) ── leave ──────────────────────────► existing
//!     │              ├── replace, if it is still the same ► replaced
//!     ├── taken along ◄┘   by a firing, see `late.rs`
//!     └── refused ◄──┴── beside, if it is still the newest ► new
//! ```
//!
//! `docs/design/0005-enqueue.md` has the places of a key and the failure table.

mod decide;
mod late;
mod look;
mod messages;
mod store;

pub(super) use messages::UniquePlan;
pub(crate) use messages::returning;
pub(super) use store::store;
