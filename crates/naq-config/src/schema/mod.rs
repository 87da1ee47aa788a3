//! The one table of every key: its path, its variables, and where its value goes.
//!
//! [`keys`] is the table, a file per section; [`input`] and [`units`] turn what a layer holds into a typed value;
//! [`refused`] and [`suggest`] word the answer to a key that is not in the table, `without_meaning` that to a variable.

mod input;
mod keys;
mod path;
mod refused;
mod spec;
mod suggest;
mod units;
mod without_meaning;

pub(crate) use input::{Input, Item, Rejected};
pub(crate) use keys::keys;
pub(crate) use path::{Found, check_names, find, find_dotted};
pub(crate) use refused::refusal;
pub(crate) use spec::{Form, KeySpec};
pub use spec::{KeyInfo, known_keys};
pub(crate) use suggest::{nearest, suggest};
pub use without_meaning::advice_for_variable;
