//! As much of an HTTP client as the tour needs. HTTP/1.0: the answer ends where the connection ends.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::Failure;

/// Sends one request; the code and the body of the answer.
pub(crate) async fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    body: &str,
) -> Result<(u16, String), Failure> {
    let (code, mut rest) = send(address, method, path, body).await?;
    let mut text = String::new();
    rest.read_to_string(&mut text).await?;
    Ok((code, text))
}

/// The names and data of all events, until the service closes the stream.
pub(crate) async fn listen(
    address: SocketAddr,
    path: &str,
) -> Result<Vec<(String, String)>, Failure> {
    let (_, rest) = send(address, "GET", path, "").await?;
    let (mut lines, mut events, mut name) = (rest.lines(), Vec::new(), String::new());
    while let Some(line) = lines.next_line().await? {
        match line.split_once(": ") {
            Some(("event", text)) => text.clone_into(&mut name),
            Some(("data", text)) => events.push((std::mem::take(&mut name), text.to_owned())),
            _ => {}
        }
    }
    Ok(events)
}

async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    body: &str,
) -> Result<(u16, BufReader<TcpStream>), Failure> {
    let mut stream = TcpStream::connect(address).await?;
    let length = body.len();
    let kind = if body.starts_with('{') {
        "application/json"
    } else {
        "text/plain"
    };
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = BufReader::new(stream);
    let mut line = String::new();
    answer.read_line(&mut line).await?;
    let code = line.split(' ').nth(1).unwrap_or_default().parse()?;
    while !line.trim().is_empty() {
        line.clear();
        answer.read_line(&mut line).await?;
    }
    Ok((code, answer))
}
