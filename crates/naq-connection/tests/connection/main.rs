//! The connection service against a real nats-server, judged by what the server reports.
//!
//! Needs the `nats-server` binary: `$NAQ_NATS_SERVER` or on `PATH`.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod attributes;
mod auth;
mod breaker;
mod budget;
mod checker;
mod cold_start;
mod doctor;
mod documents;
mod due;
mod events;
mod exclusive;
mod failover;
mod failure;
mod flush;
mod health;
mod inbox;
mod kv;
mod lame_duck;
mod lanes;
mod leaks;
mod leases;
mod limiter;
mod load;
mod loss;
mod matrix;
mod memory;
mod metrics;
mod migration;
mod models;
mod provider;
mod proxy;
mod publish;
mod records;
mod reload;
mod requests;
mod retry;
mod rotate;
mod scopes;
mod server;
mod shutdown;
mod sockets;
mod stall;
mod storm;
mod streams;
mod sync;
mod tls;
mod websocket;

use std::time::Duration;

use naq_config::settings::NatsSettings;
use naq_connection::ConnectionService;
use naq_testing::{FaultProxy, eventually};

use server::TestServer;

/// Waits until `condition` holds; panics after [`SOON`].
#[track_caller]
fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) -> impl Future<Output = ()> {
    eventually(SOON, async move || match condition().await {
        true => Ok(()),
        false => Err(what),
    })
}

/// Measures until it is below `limit`; panics after five times. Whatever else the machine does only ever adds, so the
/// quickest shows what it takes.
async fn once_below(limit: Duration, mut measure: impl AsyncFnMut() -> Duration) {
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(measure().await);
        if seen.last().is_some_and(|took| *took < limit) {
            return;
        }
    }
    panic!("not below {limit:?}: {seen:?}");
}

fn settings(url: &str) -> NatsSettings {
    NatsSettings {
        servers: vec![url.to_owned()],
        ..NatsSettings::default()
    }
}

/// A server and a service on it.
async fn setup() -> (TestServer, ConnectionService) {
    let server = TestServer::start().await;
    let service = ConnectionService::new(settings(&server.url()));
    (server, service)
}

/// As `setup`, with a network between them that fails on command.
async fn behind_a_proxy() -> (TestServer, ConnectionService, FaultProxy) {
    let server = TestServer::start().await;
    let proxy = FaultProxy::to(&server.url());
    let service = ConnectionService::new(settings(&proxy.url()));
    (server, service, proxy)
}

/// Time that anything may take that has to come: long, so that a busy machine is no failure.
const SOON: Duration = Duration::from_secs(60);

/// Time within which something must be over, beyond what it was given: a bound that is asserted.
const PROMPT: Duration = Duration::from_secs(5);
