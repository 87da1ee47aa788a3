//! What becomes of each connection that comes to the port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::orders::{Direction, Door, Orders};
use super::pipe::Pipe;
use super::tally::Tally;

/// Time that the server has to take a connection.
const DIAL: Duration = Duration::from_secs(5);

/// What the port and its connections share.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) server: SocketAddr,
    pub(super) orders: watch::Receiver<Orders>,
    pub(super) tally: Arc<Tally>,
}

/// Takes connections until it is dropped, and its connections with it.
pub(super) async fn serve(listener: TcpListener, way: Way) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            taken = listener.accept() => match taken {
                Ok((client, _)) => {
                    // Before it counts, so that what is ordered after a test has seen it counted
                    // finds it born.
                    let born = *way.orders.borrow();
                    way.tally.arrived();
                    connections.spawn(connection(client, way.clone(), born));
                }
                // Out of file descriptors, as a rule: those that end make room.
                Err(_) => sleep(Duration::from_millis(10)).await,
            },
            Some(_ended) = connections.join_next() => {}
        }
    }
}

async fn connection(client: TcpStream, way: Way, born: Orders) {
    // Ended without warning, whatever the reason: the kernel then answers with a reset.
    let _abrupt = client.set_zero_linger();
    let _opened = way.tally.opened();
    match born.door {
        Door::Refusing => {}
        Door::BlackHole => in_the_hole(client, tokio::io::empty(), way.orders.clone(), born).await,
        Door::Open => {
            let dialled = timeout(DIAL, TcpStream::connect(way.server)).await;
            if let Ok(Ok(server)) = dialled {
                through(client, server, &way, born).await;
            }
        }
    }
}

/// Both ways, until an end of it, a cut, or the hole.
async fn through(mut client: TcpStream, mut server: TcpStream, way: &Way, born: Orders) {
    let _same_here = (client.set_nodelay(true), server.set_nodelay(true));
    let _abrupt = server.set_zero_linger();
    let mut orders = way.orders.clone();
    let news = async {
        let over = |now: &Orders| now.cuts != born.cuts || now.door == Door::BlackHole;
        drop(orders.wait_for(over).await);
    };
    tokio::select! {
        biased;
        () = news => {}
        () = both_ways(&mut client, &mut server, way) => return,
    }
    let now = *way.orders.borrow();
    if now.door == Door::BlackHole && now.cuts == born.cuts {
        in_the_hole(client, server, way.orders.clone(), born).await;
    }
}

/// Until both have ended: what the client sent last arrives, also when it takes no more answers.
async fn both_ways(client: &mut TcpStream, server: &mut TcpStream, way: &Way) {
    let pipe = |direction| Pipe {
        direction,
        orders: way.orders.clone(),
        tally: &way.tally,
    };
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    // What the error was shows at both ends.
    let _ended = tokio::join!(
        pipe(Direction::ToServer).carry(from_client, to_server),
        pipe(Direction::ToClient).carry(from_server, to_client),
    );
}

/// Reads and forgets. What has lost bytes cannot go on, so it ends with the hole.
async fn in_the_hole(
    client: impl AsyncRead + Unpin,
    server: impl AsyncRead + Unpin,
    mut orders: watch::Receiver<Orders>,
    born: Orders,
) {
    let over = |now: &Orders| now.cuts != born.cuts;
    let swallowing = async {
        tokio::join!(swallow(client), swallow(server));
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _over = orders.wait_for(over) => {}
        () = swallowing => {}
    }
}

async fn swallow(mut from: impl AsyncRead + Unpin) {
    let mut buffer = vec![0; 4096];
    while from.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}
