//! The bare client, to compare with.

use std::time::{Duration, Instant};

use async_nats::{
    Client, ConnectOptions, ReconnectToServer, Request, RequestErrorKind, ServerAddr,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::Outcome;

/// Nobody listens here.
pub(crate) const NOBODY: &str = "bench.nobody";

#[expect(
    clippy::disallowed_methods,
    reason = "the bare client is what we compare with"
)]
pub(crate) async fn connect(url: &str) -> Outcome<Client> {
    // In a box, since its 18 KB would otherwise be part of every pool's `get`.
    Ok(Box::pin(async_nats::connect(url)).await?)
}

/// As [`connect`], without the millisecond that the client sleeps before it selects a server.
#[expect(
    clippy::disallowed_methods,
    reason = "the bare client is what we compare with"
)]
pub(crate) async fn connect_at_once(url: &str) -> Outcome<Client> {
    let addr: ServerAddr = url.parse()?;
    let options = ConnectOptions::new().reconnect_to_server_callback(move |_pool, _info| {
        std::future::ready(Some(ReconnectToServer {
            addr: addr.clone(),
            delay: Some(Duration::ZERO),
        }))
    });
    Ok(Box::pin(options.connect(url)).await?)
}

/// To the server and back: its answer is that nobody listens.
pub(crate) async fn round_trip(client: &Client) -> Outcome<()> {
    match client.send_request(NOBODY, Request::new()).await {
        Ok(_) => Err("somebody answered where nobody should be".into()),
        Err(error) if error.kind() == RequestErrorKind::NoResponders => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The least that a connect can be: TCP, INFO, CONNECT and PING, PONG. Microseconds.
pub(crate) async fn handshake(port: u16) -> Outcome<f64> {
    let start = Instant::now();
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await?);
    stream.get_ref().set_nodelay(true)?;
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let hello = b"CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"hand\"}\r\nPING\r\n";
    stream.write_all(hello).await?;
    line.clear();
    stream.read_line(&mut line).await?;
    if line.trim() == "PONG" {
        Ok(start.elapsed().as_secs_f64() * 1e6)
    } else {
        Err(format!("the server answered {line:?} to PING").into())
    }
}

/// A client, and when it was connected each time after the first.
#[expect(
    clippy::disallowed_methods,
    reason = "the bare client is what we compare with"
)]
pub(crate) async fn watched(url: &str) -> Outcome<(Client, mpsc::Receiver<Instant>)> {
    let (tell, mut told) = mpsc::channel(16);
    let options = ConnectOptions::new().event_callback(move |event| {
        if event == async_nats::Event::Connected {
            // Nobody listens any more once the measurement is over.
            let _told = tell.try_send(Instant::now());
        }
        std::future::ready(())
    });
    let client = Box::pin(options.connect(url)).await?;
    told.recv()
        .await
        .ok_or("the client never said that it is connected")?;
    Ok((client, told))
}
