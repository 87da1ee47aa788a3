//! Passes bytes on between clients and a server, and can stop doing so without closing anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(crate) struct Proxy {
    port: u16,
    stalls: watch::Sender<u32>,
    accepted: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// To the server on the loopback port `upstream`.
    pub(crate) async fn start(upstream: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stalls, accepted) = (watch::Sender::new(0), Arc::new(AtomicUsize::new(0)));
        let (stalled, count) = (stalls.subscribe(), Arc::clone(&accepted));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut links = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let mut stalled = stalled.clone();
                stalled.mark_unchanged();
                links.spawn(pass(client, upstream, stalled));
            }
        });
        Self {
            port,
            stalls,
            accepted,
            _tasks: tasks,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// From now on nothing passes on the connections that are there; later ones are passed on.
    pub(crate) fn stall(&self) {
        self.stalls.send_modify(|stalls| *stalls += 1);
    }

    /// Connections so far.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

async fn pass(mut client: TcpStream, upstream: u16, mut stalled: watch::Receiver<u32>) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", upstream)).await else {
        return;
    };
    tokio::select! {
        _closed = copy_bidirectional(&mut client, &mut server) => {}
        _stalled = stalled.changed() => std::future::pending().await,
    }
}
