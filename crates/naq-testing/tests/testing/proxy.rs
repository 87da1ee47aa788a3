//! The fault proxy, in front of a server that sends back what it gets.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use naq_testing::{Direction, FaultProxy, HeldPort, eventually_eq};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::SOON;

/// Long enough to see that nothing comes.
const MOMENT: Duration = Duration::from_millis(150);

struct Setup {
    proxy: FaultProxy,
    _echo: JoinSet<()>,
}

async fn setup() -> Setup {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let proxy = FaultProxy::to(&listener.local_addr().unwrap().to_string());
    let mut echo = JoinSet::new();
    echo.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            connections.spawn(async move {
                let (mut from, mut to) = socket.split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    Setup { proxy, _echo: echo }
}

impl Setup {
    async fn client(&self) -> TcpStream {
        let address = (Ipv4Addr::LOCALHOST, self.proxy.port());
        TcpStream::connect(address).await.unwrap()
    }

    /// A client whose connection the proxy has taken, under the orders that hold now.
    async fn taken_client(&self) -> TcpStream {
        let taken = self.proxy.taken();
        let client = self.client().await;
        eventually_eq(SOON, taken + 1, async || self.proxy.taken()).await;
        client
    }

    /// A client whose connection goes through.
    async fn talking_client(&self) -> TcpStream {
        let mut client = self.client().await;
        talk(&mut client, b"hello").await;
        client
    }
}

async fn talk(client: &mut TcpStream, words: &[u8]) {
    client.write_all(words).await.unwrap();
    hear(client, words).await;
}

async fn hear(client: &mut TcpStream, words: &[u8]) {
    let mut heard = vec![0; words.len()];
    let reading = timeout(SOON, client.read_exact(&mut heard));
    reading.await.unwrap().unwrap();
    assert_eq!(heard, words);
}

/// Whether the connection has ended for its client, which has sent nothing new.
async fn is_over(client: &mut TcpStream) -> bool {
    let read = timeout(SOON, client.read(&mut [0; 8])).await.unwrap();
    read.is_err() || read.is_ok_and(|bytes| bytes == 0)
}

/// Whether a new connection to `proxy` is reset, which may come before `connect` has returned.
async fn is_reset(proxy: &FaultProxy) -> bool {
    match TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).await {
        Ok(mut client) => is_over(&mut client).await,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

async fn is_silent(client: &mut TcpStream) -> bool {
    timeout(MOMENT, client.read(&mut [0; 8])).await.is_err()
}

#[tokio::test]
async fn what_goes_through_is_whole_and_counted() {
    let setup = setup().await;
    let before = Instant::now();
    let mut client = setup.client().await;
    let megabyte: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let (mut from, mut to) = client.split();
    let mut back = vec![0; megabyte.len()];
    let both = async { tokio::join!(to.write_all(&megabyte), from.read_exact(&mut back)) };
    let (sent, received) = timeout(SOON, both).await.unwrap();
    sent.unwrap();
    received.unwrap();
    assert!(back == megabyte, "bytes have changed on the way");
    let proxy = &setup.proxy;
    assert_eq!((proxy.connections(), proxy.taken()), (1, 1));
    assert_eq!(proxy.bytes(Direction::ToServer), 1_000_000);
    eventually_eq(SOON, 1_000_000, async || proxy.bytes(Direction::ToClient)).await;
    let arrivals = proxy.arrivals();
    assert!(arrivals.len() == 1 && arrivals[0] >= before);
    drop(client);
    eventually_eq(SOON, 0, async || proxy.connections()).await;
}

#[tokio::test]
async fn a_cut_ends_what_is_there_and_lets_new_ones_in() {
    let setup = setup().await;
    let mut client = setup.talking_client().await;
    setup.proxy.cut();
    assert!(is_over(&mut client).await);
    setup.talking_client().await;
}

#[tokio::test]
async fn a_refused_connection_is_reset_and_counted_and_the_others_go_on() {
    let setup = setup().await;
    let mut old = setup.talking_client().await;
    setup.proxy.refuse();
    assert!(is_reset(&setup.proxy).await);
    assert_eq!(setup.proxy.taken(), 2);
    talk(&mut old, b"still here").await;
    setup.proxy.accept();
    setup.talking_client().await;
}

#[tokio::test]
async fn a_stall_holds_everything_back_and_loses_nothing() {
    let setup = setup().await;
    let mut client = setup.talking_client().await;
    setup.proxy.stall();
    let mut new = setup.client().await;
    for client in [&mut client, &mut new] {
        client.write_all(b"held back").await.unwrap();
        assert!(is_silent(client).await);
    }
    assert_eq!(setup.proxy.bytes(Direction::ToServer), 5);
    setup.proxy.resume();
    hear(&mut client, b"held back").await;
    hear(&mut new, b"held back").await;
}

#[tokio::test]
async fn one_way_can_stall_alone() {
    let setup = setup().await;
    let mut client = setup.talking_client().await;
    setup.proxy.stall_one(Direction::ToClient);
    client.write_all(b"question").await.unwrap();
    let arrived = async || setup.proxy.bytes(Direction::ToServer);
    eventually_eq(SOON, 13, arrived).await;
    assert!(is_silent(&mut client).await);
    setup.proxy.resume();
    hear(&mut client, b"question").await;
}

#[tokio::test]
async fn a_black_hole_takes_everything_and_what_fell_in_ends_with_it() {
    let setup = setup().await;
    let mut old = setup.talking_client().await;
    setup.proxy.black_hole();
    let mut new = setup.taken_client().await;
    for client in [&mut old, &mut new] {
        client.write_all(b"anybody?").await.unwrap();
        assert!(is_silent(client).await);
    }
    assert_eq!(setup.proxy.bytes(Direction::ToServer), 5);
    setup.proxy.accept();
    assert!(is_over(&mut old).await);
    assert!(is_over(&mut new).await);
    setup.talking_client().await;
}

#[tokio::test]
async fn a_slow_link_keeps_its_rate_and_its_latency() {
    let setup = setup().await;
    let mut client = setup.talking_client().await;
    setup.proxy.slow(500_000, Duration::from_millis(20));
    let started = Instant::now();
    talk(&mut client, &[7; 100_000]).await;
    // 200 ms for the bytes, less the last piece of each way; they come back while others still go.
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(210), "{took:?}");
    setup.proxy.slow(0, Duration::ZERO);
    talk(&mut client, b"fast again").await;
}

#[tokio::test]
async fn a_proxy_that_is_gone_leaves_no_port_and_no_connection() {
    let setup = setup().await;
    let mut client = setup.talking_client().await;
    let address = (Ipv4Addr::LOCALHOST, setup.proxy.port());
    setup.proxy.stall();
    setup.proxy.stop();
    assert!(is_over(&mut client).await);
    // Not at once: a child that another test has just forked has the port, too, until it runs its program.
    let refuses = async || TcpStream::connect(address).await.is_err();
    eventually_eq(SOON, true, refuses).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_reset() {
    let nobody = HeldPort::take().unwrap();
    let proxy = FaultProxy::to(&format!("nats://127.0.0.1:{}", nobody.number()));
    assert!(is_reset(&proxy).await);
    assert_eq!(proxy.taken(), 1);
}
