//! The client's options, and the callbacks by which it asks and tells us things.

use std::future::ready;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::{ConnectOptions, Event, ReconnectToServer, Server, ServerAddr};

use super::backoff::Backoff;
use super::failover::{Failover, Step};
use super::plan::Plan;
use crate::link::{EndGuard, Feed};

/// What the callbacks of one client share. Holds no `Client`: that would keep it alive for ever.
struct Callbacks {
    plan: Arc<Plan>,
    feed: Arc<Feed>,
    failover: Mutex<Failover>,
    target: Mutex<ServerAddr>,
    /// Dropped with the connection task, whatever ended it.
    _end: EndGuard,
}

/// Options for a first connect to `plan.endpoints[first]`.
pub(super) fn options(plan: &Arc<Plan>, feed: &Arc<Feed>, first: usize) -> ConnectOptions {
    let settings = &plan.settings;
    let mut failover = Failover::new(
        Backoff::new(settings.reconnect_time_wait),
        settings.max_reconnect_attempts,
    );
    failover.in_use(first);
    let callbacks = Arc::new(Callbacks {
        plan: Arc::clone(plan),
        feed: Arc::clone(feed),
        failover: Mutex::new(failover),
        target: Mutex::new(plan.endpoints[first].addr.clone()),
        _end: EndGuard::new(Arc::clone(feed)),
    });
    let auth = Arc::clone(&callbacks);
    let events = Arc::clone(feed);
    let mut options = ConnectOptions::with_auth_callback(move |nonce| {
        let auth = Arc::clone(&auth);
        async move { auth.plan.auth(&auth.target(), &nonce).await }
    })
    .name(&settings.client_name)
    .connection_timeout(settings.connection_timeout)
    .request_timeout(Some(settings.request_timeout))
    .client_capacity(messages(settings.max_pending_messages))
    // The client panics on a zero interval.
    .ping_interval(settings.ping_interval.max(Duration::from_millis(1)))
    .require_tls(settings.tls.enabled)
    .event_callback(move |event| {
        on_event(&events, &event);
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

impl Callbacks {
    fn target(&self) -> ServerAddr {
        self.target
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn step(&self, servers: usize, connects: u64) -> (Step, u32) {
        let mut failover = self.failover.lock().unwrap_or_else(PoisonError::into_inner);
        let step = failover.step(servers, connects);
        (step, failover.attempts())
    }
}

/// Chooses the server of the next attempt and waits out its delay.
///
/// At the first connect there is nothing to choose, and `Some(ZERO)` spares the timer tick that
/// the client's own selection sleeps before every attempt.
async fn next_server(callbacks: Arc<Callbacks>, pool: Vec<Server>) -> Option<ReconnectToServer> {
    let feed = &callbacks.feed;
    if !feed.is_attached() {
        return Some(at_once(callbacks.target()));
    }
    let Some(connects) = feed.connects() else {
        return end_task(feed).await;
    };
    let (step, attempts) = callbacks.step(pool.len(), connects);
    let (server, delay) = match step {
        Step::Try { server, delay } => (server, delay),
        Step::GiveUp { attempts } => {
            feed.exhausted(attempts);
            return end_task(feed).await;
        }
    };
    feed.attempting(attempts);
    tokio::select! {
        () = tokio::time::sleep(delay) => {}
        () = feed.stopped() => return end_task(feed).await,
    }
    let addr = pool.get(server)?.addr.clone();
    callbacks
        .target
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone_from(&addr);
    Some(at_once(addr))
}

fn at_once(addr: ServerAddr) -> ReconnectToServer {
    ReconnectToServer {
        addr,
        delay: Some(Duration::ZERO),
    }
}

/// Ends the connection task that runs this callback: the client has no other way to stop while it
/// is reconnecting. Unwinding like this skips the panic hook; a program built with
/// `panic = "abort"` gets a parked task instead.
fn end_task(feed: &Arc<Feed>) -> impl Future<Output = Option<ReconnectToServer>> + use<> {
    let feed = Arc::clone(feed);
    async move {
        if cfg!(panic = "unwind") {
            resume_unwind(Box::new("the connection has no owner any more"));
        }
        feed.end();
        std::future::pending().await
    }
}

/// Must not panic: the client would stop telling events. Events can get lost, so they are only a
/// reason to look at what is true now.
fn on_event(feed: &Feed, event: &Event) {
    match event {
        Event::SlowConsumer(sid) => tracing::warn!(
            profile = feed.profile(),
            sid,
            "a subscription is too slow: messages were dropped"
        ),
        Event::ServerError(error) => {
            tracing::warn!(profile = feed.profile(), %error, "the server reports an error");
        }
        Event::LameDuckMode => {
            tracing::warn!(profile = feed.profile(), "the server is about to shut down");
        }
        _ => {}
    }
    feed.observe();
}
