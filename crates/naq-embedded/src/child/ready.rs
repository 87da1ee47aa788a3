//! Asks a starting server whether it serves: the NATS handshake, and one JetStream request.

use std::io;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// One try is cut short, so that a server that accepts but does not answer yet is asked again.
const TRY: Duration = Duration::from_millis(500);

/// What to ask for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) port: u16,
    /// Somebody else's server may answer on our port.
    pub(crate) server_name: &'a str,
    /// A node of a cluster answers JetStream requests only once the others are up: then the handshake must do.
    pub(crate) jetstream: bool,
}

/// Whether the server serves.
pub(crate) async fn is_ready(question: Question<'_>) -> bool {
    matches!(timeout(TRY, ask(question)).await, Ok(Ok(true)))
}

async fn ask(question: Question<'_>) -> io::Result<bool> {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", question.port)).await?);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let Some(info) = line.strip_prefix("INFO ") else {
        return Ok(false);
    };
    let info: Value = serde_json::from_str(info)?;
    let on = |key: &str| info[key] == Value::Bool(true);
    if info["server_name"] != question.server_name || !on("jetstream") {
        return Ok(false);
    }
    // Without credentials we get no further; the server opens its client port after JetStream has recovered.
    if !question.jetstream || on("auth_required") || on("tls_required") {
        return Ok(true);
    }
    let request = "CONNECT {\"verbose\":false,\"pedantic\":false,\"name\":\"naq-embedded-ready\",\
                   \"lang\":\"rust\",\"version\":\"0\",\"headers\":true,\"no_responders\":true}\r\n\
                   SUB _naq.ready 1\r\nPUB $JS.API.INFO _naq.ready 0\r\n\r\n";
    stream.get_mut().write_all(request.as_bytes()).await?;
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(false);
        }
        if line.starts_with("MSG _naq.ready") {
            return Ok(true);
        }
        // "No responders" or a refusal.
        if line.starts_with("HMSG") || line.starts_with("-ERR") {
            return Ok(false);
        }
    }
}
