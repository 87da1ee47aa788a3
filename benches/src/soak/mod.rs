//! Scopes under failures for a long time.
//!
//! `run` starts everything, `load` makes scopes, `faults` breaks the network and the server, `vitals`
//! reads what this process uses, `verdict` judges the series (pure).

mod faults;
mod load;
mod run;
mod verdict;
mod vitals;

pub(crate) use run::run;
