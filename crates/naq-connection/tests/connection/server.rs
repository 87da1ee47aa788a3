//! A nats-server of its own for one test, with its monitoring port.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::until;

pub(crate) struct TestServer {
    child: Option<Child>,
    port: u16,
    monitor: u16,
    store: TempDir,
    args: Vec<String>,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(crate) async fn start_with(args: &[&str]) -> Self {
        let mut server = Self {
            child: None,
            port: free_port(),
            monitor: free_port(),
            store: TempDir::new().unwrap(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        };
        server.restart().await;
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Ends the server without warning (SIGKILL).
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts it on the same ports, with the same store.
    pub(crate) async fn restart(&mut self) {
        self.kill();
        let binary = std::env::var("NAQ_NATS_SERVER").unwrap_or_else(|_| "nats-server".to_owned());
        let child = Command::new(&binary)
            .args(["-a", "127.0.0.1", "-js", "-p", &self.port.to_string()])
            .args(["-m", &self.monitor.to_string()])
            .arg("-sd")
            .arg(self.store.path())
            .args(&self.args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start `{binary}`: {error}"));
        self.child = Some(child);
        let (port, monitor) = (self.port, self.monitor);
        until("the server listens", async || {
            TcpStream::connect(("127.0.0.1", port)).await.is_ok()
                && get(monitor, "/varz").await.is_some()
        })
        .await;
    }

    pub(crate) async fn varz(&self) -> Value {
        get(self.monitor, "/varz").await.unwrap()
    }

    /// Clients that are connected now.
    pub(crate) async fn connections(&self) -> Vec<Value> {
        self.clients("/connz").await
    }

    /// Clients that ever completed a connect: our own probe of the port does not count.
    pub(crate) async fn total_connects(&self) -> usize {
        self.clients("/connz?state=all").await.len()
    }

    async fn clients(&self, path: &str) -> Vec<Value> {
        let mut connz = get(self.monitor, path).await.unwrap();
        let clients = connz["connections"].as_array_mut().unwrap();
        clients.retain(|client| client["lang"] == "rust");
        std::mem::take(clients)
    }

    pub(crate) async fn in_msgs(&self) -> u64 {
        self.varz().await["in_msgs"].as_u64().unwrap()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

async fn get(port: u16, path: &str) -> Option<Value> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.ok()?;
    let (_, body) = reply.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}
