//! `naq config`: what the configuration says, where each value comes from, and files to begin with.

mod check;
mod init;
mod show;
mod verbs;

pub(crate) use init::{Args as InitArgs, run as init};
pub(crate) use show::{Args as ShowArgs, run as show};
pub(crate) use verbs::{Args, run};
