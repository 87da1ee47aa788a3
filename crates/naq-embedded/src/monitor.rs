//! One GET on a monitoring port.
//!
//! By hand, as HTTP/1.0: the server then answers with a plain body and closes, which needs no HTTP client.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::error::{EmbeddedError, EmbeddedErrorKind};

const DEADLINE: Duration = Duration::from_secs(5);

/// The JSON behind `path` on the loopback `port`.
pub(crate) async fn get(port: u16, path: &str) -> Result<Value, EmbeddedError> {
    let failed =
        |what: String| EmbeddedError::new(EmbeddedErrorKind::Monitoring, format!("{path}: {what}"));
    let answer = match timeout(DEADLINE, exchange(port, path)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(e)) => {
            return Err(failed("no answer from the monitoring port".to_owned()).with_source(e));
        }
        Err(_) => return Err(failed(format!("no answer within {DEADLINE:?}"))),
    };
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        return Err(failed(format!("{status}: {}", body.trim())));
    }
    serde_json::from_str(body).map_err(|e| failed("not JSON".to_owned()).with_source(e))
}

async fn exchange(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
