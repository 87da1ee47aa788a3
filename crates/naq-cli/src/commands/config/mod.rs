//! `naq config`: what the configuration says, where each value comes from, and files to begin with.

mod check;
mod init;
mod show;
mod show_or_check;
mod verbs;

pub(crate) use init::{Args as InitArgs, run as init};
pub(crate) use show_or_check::{Args as ShowOrCheckArgs, run as show_or_check};
pub(crate) use verbs::{Args, run};
