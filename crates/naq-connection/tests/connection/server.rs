//! A nats-server of its own for one test, and what it reports.
//!
//! It is looked after by a runtime of its own: the tests count the tasks of theirs, or end it.

use std::sync::Arc;
use std::time::Duration;

use naq_testing::{TestServer as Server, eventually_eq};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::SOON;

pub(crate) struct TestServer {
    server: Arc<Server>,
    runtime: Option<Runtime>,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::start_with("").await
    }

    /// With further text in the server's configuration file.
    pub(crate) async fn start_with(config: &str) -> Self {
        Self::start_at(None, config).await
    }

    /// On a port that is known before.
    pub(crate) async fn start_on(port: u16, config: &str) -> Self {
        Self::start_at(Some(port), config).await
    }

    async fn start_at(port: Option<u16>, config: &str) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let config = config.to_owned();
        let start = Server::start_with(move |builder| {
            let builder = builder.monitoring(true).extra_config(config);
            match port {
                Some(port) => builder.port(port),
                None => builder,
            }
        });
        let server = Arc::new(runtime.spawn(start).await.unwrap());
        Self {
            server,
            runtime: Some(runtime),
        }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    pub(crate) fn monitoring_url(&self) -> String {
        self.server.monitoring_url().unwrap()
    }

    pub(crate) fn port(&self) -> u16 {
        self.server.port()
    }

    /// Ends the server without warning (SIGKILL).
    pub(crate) async fn kill(&self) {
        self.there(|server| async move { server.kill().await.unwrap() })
            .await;
    }

    /// Ends it if it runs, and starts it on the same ports, with the same store.
    pub(crate) async fn restart(&self) {
        self.there(|server| async move {
            server.kill().await.unwrap();
            server.start_again().await.unwrap();
        })
        .await;
    }

    pub(crate) async fn varz(&self) -> Value {
        self.ask("/varz").await
    }

    /// Clients that are connected now.
    pub(crate) async fn connections(&self) -> Vec<Value> {
        self.clients("/connz").await
    }

    /// As [`connections`](Self::connections), with the users that they authenticated as.
    pub(crate) async fn users(&self) -> Vec<String> {
        let clients = self.clients("/connz?auth=1").await;
        let user = |client: &Value| client["authorized_user"].as_str().unwrap().to_owned();
        clients.iter().map(user).collect()
    }

    /// Freezes the server: its connections stay open and nothing answers.
    pub(crate) async fn pause(&self) {
        self.there(|server| async move { server.pause().await.unwrap() })
            .await;
    }

    /// Open sockets of this machine to the server's port, as the kernel lists them.
    pub(crate) fn sockets(&self) -> usize {
        const ESTABLISHED: &str = "01";
        let port = format!(":{:04X}", self.port());
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let rows = table.lines().skip(1);
        rows.map(|row| row.split_whitespace().skip(2).take(2).collect::<Vec<_>>())
            .filter(|row| row[0].ends_with(&port) && row[1] == ESTABLISHED)
            .count()
    }

    /// Clients that ever completed a connect: the probe of the port does not count.
    /// One that has just ended is missing for a moment: the server writes it down a little later.
    pub(crate) async fn total_connects(&self) -> usize {
        self.clients("/connz?state=all").await.len()
    }

    /// Waits until that is so many.
    pub(crate) async fn has_connected(&self, times: usize) {
        eventually_eq(SOON, times, || self.total_connects()).await;
    }

    async fn clients(&self, path: &str) -> Vec<Value> {
        let mut connz = self.ask(path).await;
        let clients = connz["connections"].as_array_mut().unwrap();
        clients.retain(|client| client["lang"] == "rust" && client["name"] != "naq-embedded-ready");
        std::mem::take(clients)
    }

    pub(crate) async fn in_msgs(&self) -> u64 {
        self.varz().await["in_msgs"].as_u64().unwrap()
    }

    async fn ask(&self, path: &str) -> Value {
        let path = path.to_owned();
        self.there(|server| async move { server.monitor(&path).await.unwrap() })
            .await
    }

    /// Runs on the server's runtime.
    async fn there<F>(&self, task: impl FnOnce(Arc<Server>) -> F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let runtime = self.runtime.as_ref().unwrap();
        runtime.spawn(task(Arc::clone(&self.server))).await.unwrap()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // On a thread of its own, since a runtime may not be waited for inside another; waited for, since the test program
        // may end right after and leave the server's directory behind.
        if let Some(runtime) = self.runtime.take() {
            let ending = std::thread::spawn(|| runtime.shutdown_timeout(Duration::from_secs(10)));
            drop(ending.join());
        }
    }
}
