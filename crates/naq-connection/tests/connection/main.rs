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
use naq_testing::FaultProxy;
use tokio::time::{Instant, sleep};

use server::TestServer;

/// Waits until `condition` holds; panics after ten seconds.
async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition().await {
        assert!(Instant::now() < deadline, "not within 10 s: {what}");
        sleep(Duration::from_millis(5)).await;
    }
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

const SOON: Duration = Duration::from_secs(5);
