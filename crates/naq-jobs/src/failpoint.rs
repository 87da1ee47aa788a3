//! Places at which a test lets the process die, so that each line of the failure tables can be shown.
//!
//! Without the feature `failpoints`, which only tests of this project use, nothing of it is compiled in.

/// The process kills itself here, as SIGKILL from outside would, if `NAQ_DIE_AT` names this place.
#[cfg(feature = "failpoints")]
pub(crate) fn reach(place: &str) {
    static CHOSEN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| std::env::var("NAQ_DIE_AT").ok());
    if chosen.as_deref() == Some(place) {
        let myself = rustix::process::getpid();
        if let Err(error) = rustix::process::kill_process(myself, rustix::process::Signal::KILL) {
            tracing::error!(%error, place, "the process could not kill itself");
        }
    }
}

#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub(crate) fn reach(_place: &str) {}
