//! Places at which a test lets the process die, so that each line of the failure tables can be shown.
//!
//! Without the feature `failpoints`, which only tests of this project use, nothing of it is compiled in.

/// The process kills itself here, as SIGKILL from outside would, if `NAQ_DIE_AT` names this place; if `NAQ_STOP_AT` does, it is
/// stopped the first time, as by SIGSTOP, until it gets SIGCONT.
#[cfg(feature = "failpoints")]
pub(crate) fn reach(place: &str) {
    use rustix::process::{Signal, getpid, kill_process};
    use std::sync::{Mutex, OnceLock, PoisonError};

    static DIE_AT: OnceLock<Option<String>> = OnceLock::new();
    static STOP_AT: OnceLock<Mutex<Option<String>>> = OnceLock::new();
    let die_at = DIE_AT.get_or_init(|| std::env::var("NAQ_DIE_AT").ok());
    let stop_at = STOP_AT.get_or_init(|| Mutex::new(std::env::var("NAQ_STOP_AT").ok()));
    let mut stop_at = stop_at.lock().unwrap_or_else(PoisonError::into_inner);
    let signal = match (die_at.as_deref(), stop_at.as_deref()) {
        (Some(die_at), _) if die_at == place => Signal::KILL,
        (_, Some(at)) if at == place => Signal::STOP,
        _ => return,
    };
    *stop_at = None;
    if let Err(error) = kill_process(getpid(), signal) {
        tracing::error!(%error, place, "the process could not send itself a signal");
    }
    // Another thread may be the one that takes the signal; this one must not go on before it has.
    std::thread::sleep(std::time::Duration::from_millis(500));
}

#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub(crate) fn reach(_place: &str) {}
