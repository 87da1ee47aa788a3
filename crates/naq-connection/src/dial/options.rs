//! The client's options, and the callbacks by which it asks and tells us things.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Auth, ConnectOptions, Event, ServerAddr};

use super::auth::Proof;
use super::plan::{Newest, Plan};
use super::reconnect::{Callbacks, next_server};
use crate::link::{Feed, Signal};

/// Unanswered PINGs after which the client gives a connection up; its own and fixed.
const PINGS: u32 = 3;

/// Options for a first connect to `server`, the `place`-th of the pool.
pub(super) fn options(
    plan: &Plan,
    newest: &Newest,
    feed: &Arc<Feed>,
    (place, server): (usize, &ServerAddr),
    proof: Option<Proof>,
) -> ConnectOptions {
    let settings = &plan.settings;
    let callbacks = Arc::new(Callbacks::new(newest, feed, (place, server.clone()), proof));
    let auth = Arc::clone(&callbacks);
    let events = Arc::clone(feed);
    let mut options = ConnectOptions::with_auth_callback(move |nonce| {
        let proof = auth.proof();
        async move {
            match proof {
                Some(proof) => proof.present(&nonce).await,
                None => Ok(Auth::new()),
            }
        }
    })
    .name(&settings.client_name)
    .connection_timeout(settings.connection_timeout)
    .request_timeout(Some(settings.request_timeout))
    .client_capacity(messages(settings.max_pending_messages))
    .ping_interval(ping_interval(
        settings.ping_interval,
        settings.max_outstanding_pings,
    ))
    .require_tls(settings.tls.enabled)
    .event_callback(move |event| {
        on_event(&events, event);
        ready(())
    })
    .reconnect_to_server_callback(move |pool, _| next_server(Arc::clone(&callbacks), pool));
    if let Some(ca) = &settings.tls.ca_file {
        options = options.add_root_certificates(ca.clone());
    }
    if let (Some(cert), Some(key)) = (&settings.tls.cert_file, &settings.tls.key_file) {
        options = options.add_client_certificate(cert.clone(), key.clone());
    }
    options
}

/// The client panics on a queue of no length.
fn messages(limit: u32) -> usize {
    usize::try_from(limit.max(1)).unwrap_or(usize::MAX)
}

/// The client gives up at its third PING without an answer, whatever the settings say. So that a
/// silent connection is given up after `interval` x `outstanding`, it pings more often.
fn ping_interval(interval: Duration, outstanding: u32) -> Duration {
    let shortened = interval.saturating_mul(outstanding.clamp(1, PINGS)) / PINGS;
    // The client panics on a zero interval.
    shortened.max(Duration::from_millis(1))
}

/// Must not panic: the client would stop telling events. Events can get lost, so of the state they
/// are only a reason to look at what is true now.
fn on_event(feed: &Feed, event: Event) {
    match event {
        Event::SlowConsumer(sid) => feed.tell(Signal::SlowConsumer(sid)),
        Event::ServerError(error) => feed.tell(Signal::ServerError(error.to_string())),
        Event::LameDuckMode => feed.tell(Signal::LameDuck),
        _ => {}
    }
    feed.observe();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_pings_take_as_long_as_the_settings_allow() {
        let second = Duration::from_secs(1);
        assert_eq!(ping_interval(second, 3), second);
        assert_eq!(ping_interval(second * 3, 2), second * 2);
        assert_eq!(ping_interval(second * 3, 0), second);
        assert_eq!(ping_interval(second, 9), second);
        assert!(ping_interval(Duration::ZERO, 2) > Duration::ZERO);
    }
}
