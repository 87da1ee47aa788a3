//! One server for one test.

use std::ops::Deref;

use naq_config::Settings;
use naq_embedded::{Builder, EmbeddedServer};

use crate::report::{Connz, Jsz, Varz};
use crate::test_settings::{START, settings};

/// A server of its own for one test: free port, temporary store, monitoring on. Kill, pause and restart it through
/// [`EmbeddedServer`], to which it derefs. Gone, with its store, after [`stop`](Self::stop) or drop.
#[derive(Debug)]
#[must_use = "dropping it ends the server"]
pub struct TestServer(EmbeddedServer);

impl TestServer {
    /// Starts one.
    ///
    /// # Panics
    /// If there is no usable nats-server or it does not start; the message says what to do.
    pub async fn start() -> Self {
        Self::start_with(|builder| builder).await
    }

    /// Starts one that differs from the default.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub async fn start_with(adjust: impl FnOnce(Builder) -> Builder) -> Self {
        let builder = EmbeddedServer::builder()
            .monitoring(true)
            .start_deadline(START);
        match adjust(builder).start().await {
            Ok(server) => Self(server),
            Err(e) => panic!("this test needs a nats-server: {e}"),
        }
    }

    /// Settings that point at it, with waits that suit a test.
    pub fn settings(&self) -> Settings {
        settings(vec![self.url()], 1)
    }

    /// Its open client connections.
    ///
    /// # Panics
    /// If it does not answer, as while it is down.
    pub async fn connz(&self) -> Connz {
        Connz::of(&self.0).await
    }

    /// Its totals.
    ///
    /// # Panics
    /// As [`connz`](Self::connz).
    pub async fn varz(&self) -> Varz {
        Varz::of(&self.0).await
    }

    /// Its streams and consumers.
    ///
    /// # Panics
    /// As [`connz`](Self::connz).
    pub async fn jsz(&self) -> Jsz {
        Jsz::of(&self.0).await
    }

    /// Ends it gracefully, waits until it is gone, and removes its store.
    ///
    /// # Panics
    /// If its supervisor has died.
    pub async fn stop(self) {
        if let Err(e) = self.0.stop().await {
            panic!("the test server does not stop: {e}");
        }
    }
}

impl Deref for TestServer {
    type Target = EmbeddedServer;

    fn deref(&self) -> &EmbeddedServer {
        &self.0
    }
}
