//! Waiting for a condition instead of sleeping.

use std::fmt::Debug;
use std::panic::Location;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

const POLL: Duration = Duration::from_millis(5);

/// Calls `check` until it returns `Ok`, and returns what is in it. What is in `Err` is what was seen instead.
///
/// # Panics
/// After `deadline`, with what was last seen and the place of the call.
#[track_caller]
pub fn eventually<T, S: Debug>(
    deadline: Duration,
    mut check: impl AsyncFnMut() -> Result<T, S>,
) -> impl Future<Output = T> {
    let caller = Location::caller();
    async move {
        let end = Instant::now() + deadline;
        let mut last = None;
        loop {
            match timeout_at(end, check()).await {
                Ok(Ok(value)) => return value,
                Ok(Err(seen)) => last = Some(seen),
                Err(_) => give_up(caller, deadline, last.as_ref()),
            }
            if Instant::now() >= end {
                give_up(caller, deadline, last.as_ref());
            }
            sleep(POLL).await;
        }
    }
}

/// Calls `value` until it equals `expected`.
///
/// # Panics
/// As [`eventually`].
#[track_caller]
pub fn eventually_eq<T: Debug + PartialEq>(
    deadline: Duration,
    expected: T,
    mut value: impl AsyncFnMut() -> T,
) -> impl Future<Output = ()> {
    eventually(deadline, async move || {
        let seen = value().await;
        if seen == expected { Ok(()) } else { Err(seen) }
    })
}

fn give_up<S: Debug>(caller: &Location<'_>, deadline: Duration, last: Option<&S>) -> ! {
    match last {
        Some(seen) => panic!("{caller}: not within {deadline:?}; last seen: {seen:#?}"),
        None => panic!("{caller}: not within {deadline:?}; the check itself did not return"),
    }
}
