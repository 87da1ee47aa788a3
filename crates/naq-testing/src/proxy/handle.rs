//! What a test holds.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::door::{Way, serve};
use super::orders::{Direction, Door, Orders, Pace};
use super::tally::Tally;

/// A TCP proxy in front of any server, which fails on command: cut, refused, stalled, swallowed,
/// slow. For tests of what a service does when its network fails.
///
/// ```no_run
/// use std::time::Duration;
/// use naq_testing::{FaultProxy, TestServer, eventually_eq};
///
/// # async fn example() {
/// let server = TestServer::start().await;
/// let proxy = FaultProxy::to(&server.url());
/// let mut settings = server.settings();
/// settings.nats.servers = vec![proxy.url()];
/// // … connect with `settings`, then:
/// proxy.cut();
/// eventually_eq(Duration::from_secs(5), 2, async || proxy.taken()).await; // it came back
/// # }
/// ```
///
/// Orders return at once and hold for connections that are there and those to come. They add up: a
/// link may be slow and stalled. The proxy runs on a thread and a runtime of its own, so that it
/// adds no task to the caller's and goes on while the caller's runtime is busy, paused or gone.
/// [`stop`](Self::stop) or drop ends its connections and waits for that thread, some milliseconds.
#[derive(Debug)]
#[must_use = "dropping it ends its connections"]
pub struct FaultProxy {
    port: u16,
    orders: watch::Sender<Orders>,
    tally: Arc<Tally>,
    end: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl FaultProxy {
    /// Listens on a free port of 127.0.0.1 and passes on to `server`: `host:port`, or a URL with
    /// both.
    ///
    /// # Panics
    /// If `server` cannot be resolved or no port or thread is to be had.
    pub fn to(server: &str) -> Self {
        let server = resolve(server);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.unwrap_or_else(|e| panic!("no port for a fault proxy: {e}"));
        let address = listener.local_addr().and_then(|address| {
            listener.set_nonblocking(true)?;
            Ok(address)
        });
        let port = address.map_or_else(|e| panic!("no port for a fault proxy: {e}"), |a| a.port());
        let (orders, tally, end) = (
            watch::Sender::default(),
            Arc::default(),
            CancellationToken::new(),
        );
        let way = Way {
            server,
            orders: orders.subscribe(),
            tally: Arc::clone(&tally),
        };
        // Made here, so that all files that the proxy needs are open when this returns.
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.unwrap_or_else(|e| panic!("no runtime for a fault proxy: {e}"));
        let stop = end.clone();
        let thread = std::thread::Builder::new()
            .name("fault-proxy".to_owned())
            .spawn(move || run(&runtime, listener, way, &stop));
        let thread = thread.unwrap_or_else(|e| panic!("no thread for a fault proxy: {e}"));
        Self {
            port,
            orders,
            tally,
            end,
            thread: Some(thread),
        }
    }

    /// `nats://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Resets all connections that are there. New ones are let in.
    pub fn cut(&self) {
        self.order(|orders| orders.cuts += 1);
    }

    /// Takes no connections any more: a new one is reset at once, and counted in
    /// [`taken`](Self::taken). Those that are there go on; see [`cut`](Self::cut).
    pub fn refuse(&self) {
        self.order(|orders| orders.turn(Door::Refusing));
    }

    /// Lets connections in again, after [`refuse`](Self::refuse) and [`black_hole`](Self::black_hole).
    pub fn accept(&self) {
        self.order(|orders| orders.turn(Door::Open));
    }

    /// Reads everything from both sides and passes nothing on; new connections are taken and get
    /// no answer. Until [`accept`](Self::accept) or [`refuse`](Self::refuse), which reset them, since they have lost bytes.
    pub fn black_hole(&self) {
        self.order(|orders| orders.turn(Door::BlackHole));
    }

    /// Holds everything back, both ways, and loses nothing. What is sent after this has returned
    /// arrives after [`resume`](Self::resume). The link itself takes some hundred KiB in, then the
    /// sender's buffers fill.
    pub fn stall(&self) {
        self.stall_one(Direction::ToServer);
        self.stall_one(Direction::ToClient);
    }

    /// As [`stall`](Self::stall), one way only.
    pub fn stall_one(&self, direction: Direction) {
        self.order(|orders| *orders.stalled.of_mut(direction) = true);
    }

    /// Ends every stall.
    pub fn resume(&self) {
        self.order(|orders| orders.stalled = Default::default());
    }

    /// Passes so many bytes a second in each direction, each `latency` after it came; 0 bytes is
    /// no limit. `slow(0, Duration::ZERO)` is full speed again. With a latency, at most 256 KiB
    /// are under way.
    pub fn slow(&self, bytes_per_second: u64, latency: Duration) {
        let pace = Pace {
            bytes_per_second,
            latency,
        };
        self.order(|orders| orders.pace = pace);
    }

    /// Connections that are open now.
    pub fn connections(&self) -> usize {
        self.tally.open()
    }

    /// Connections that ever came, those that were refused or swallowed included.
    pub fn taken(&self) -> usize {
        self.tally.taken()
    }

    /// When connections came, as [`taken`](Self::taken), in order; the latest 65,536.
    pub fn arrivals(&self) -> Vec<Instant> {
        self.tally.arrivals()
    }

    /// Bytes that were passed on in one direction.
    pub fn bytes(&self, direction: Direction) -> u64 {
        self.tally.bytes(direction)
    }

    /// Ends its connections, closes the port, and waits until both are gone.
    pub fn stop(self) {
        drop(self);
    }

    fn order(&self, change: impl FnOnce(&mut Orders)) {
        self.orders.send_modify(change);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.end.cancel();
        // The thread waits for nothing that the caller does, so this cannot hang. If it has
        // panicked, its message was printed.
        drop(self.thread.take().map(JoinHandle::join));
    }
}

fn resolve(server: &str) -> SocketAddr {
    let address = server.split_once("://").map_or(server, |(_, rest)| rest);
    let resolved = address.trim_end_matches('/').to_socket_addrs();
    let first = resolved.map(|mut addresses| addresses.next());
    match first {
        Ok(Some(address)) => address,
        Ok(None) => panic!("`{server}` has no address"),
        Err(e) => panic!("`{server}` is no address of a server: {e}"),
    }
}

fn run(runtime: &Runtime, listener: TcpListener, way: Way, end: &CancellationToken) {
    runtime.block_on(async {
        match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => drop(end.run_until_cancelled(serve(listener, way)).await),
            Err(e) => panic!("the port of a fault proxy is unusable: {e}"),
        }
    });
}
