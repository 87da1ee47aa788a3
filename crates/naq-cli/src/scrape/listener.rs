//! Answers scrapes: `GET /metrics` over HTTP/1.1, one answer per connection.
//!
//! Small enough to be written here: one path, no body to read, and everything has a bound.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::error::CliError;
use crate::exit_code;

/// Scrapes that are answered at the same time; further ones wait to be accepted.
const AT_ONCE: usize = 16;
/// Bytes of a request's head, and time that one scrape may take.
const MAX_HEAD: usize = 8 * 1024;
const LIMIT: Duration = Duration::from_secs(10);

/// An address that listens.
#[derive(Debug)]
pub(crate) struct Listener {
    listener: TcpListener,
    /// Where it listens; the port is chosen if it was asked for as 0.
    pub(crate) address: SocketAddr,
}

impl Listener {
    /// Listens on `address`.
    pub(crate) async fn bind(address: SocketAddr) -> Result<Self, CliError> {
        let failed = |error: io::Error| {
            CliError::new(exit_code::USAGE, format!("failed to listen on {address}"))
                .because(&error)
                .hint("choose another port; port 0 takes a free one")
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Answers for ever with what `page` says.
    pub(crate) async fn serve<F, Fut>(self, page: F)
    where
        F: Fn() -> Fut + Clone + Send + 'static,
        Fut: Future<Output = String> + Send + 'static,
    {
        let mut answering = JoinSet::new();
        loop {
            while answering.len() >= AT_ONCE {
                answering.join_next().await;
            }
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let page = page.clone();
                    answering.spawn(async move {
                        // Who gives up or sends nonsense is gone; the next scrape is another connection.
                        drop(tokio::time::timeout(LIMIT, answer(stream, page)).await);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a scrape could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

async fn answer<F, Fut>(mut stream: TcpStream, page: F) -> io::Result<()>
where
    F: Fn() -> Fut,
    Fut: Future<Output = String>,
{
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > MAX_HEAD || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let line = String::from_utf8_lossy(&head);
    let mut words = line.split_whitespace();
    let path = (
        words.next(),
        words.next().map(|path| path.split('?').next()),
    );
    let (status, body) = match path {
        (Some("GET" | "HEAD"), Some(Some("/metrics"))) => ("200 OK", page().await),
        (Some("GET" | "HEAD"), _) => ("404 Not Found", "the numbers are at /metrics\n".to_owned()),
        _ => ("405 Method Not Allowed", String::new()),
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    if path.0 == Some("GET") {
        stream.write_all(body.as_bytes()).await?;
    }
    stream.shutdown().await
}
