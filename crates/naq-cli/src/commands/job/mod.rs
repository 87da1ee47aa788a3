//! `naq job`: one job, or those that have not ended.

mod actions;
mod cancel;
mod control;
mod describe;
mod list;
mod show;
mod watch;

pub(crate) use self::actions::{Args, control, run};
pub(crate) use self::control::ControlArgs;

use crate::error::CliError;
use crate::exit_code;

fn not_there(id: &naq::JobId) -> CliError {
    CliError::new(
        exit_code::NOT_FOUND,
        format!("nothing is stored of job {id}"),
    )
    .hint("it never was, its outcome has expired, or it completed without keeping one")
}
