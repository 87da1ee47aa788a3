//! `naq connection`: whether the servers can be reached, how well, and if not, why.

mod doctor;
mod measure;
mod target;
mod test;
mod verbs;
mod wait;
mod watch;

pub(crate) use test::{Args as TestArgs, run as test};
pub(crate) use verbs::{Args, run};
