//! A port that stays with its server from before its first start to after its last, also while it is down.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A port of 127.0.0.1 at which nobody listens, until who knows its number does.
///
/// As long as this lives, Linux gives the port to nobody who asks for any free one, refuses connections to it while nobody
/// listens, and lets a server listen that sets `SO_REUSEADDR`, as nats-server and Rust's listeners do. Elsewhere the
/// port was free when it was taken, no more.
#[derive(Debug)]
#[must_use = "dropping it lets others have the port"]
pub struct HeldPort {
    number: u16,
    _socket: Option<TcpSocket>,
}

impl HeldPort {
    /// Takes a free one. Does not block, and needs no runtime.
    ///
    /// # Errors
    /// If the system has no port or no file descriptor left; a retry may help.
    pub fn take() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let number = socket.local_addr()?.port();
        // Others than Linux would not let the server listen beside it.
        let socket = cfg!(target_os = "linux").then_some(socket);
        Ok(Self {
            number,
            _socket: socket,
        })
    }

    /// The port.
    pub fn number(&self) -> u16 {
        self.number
    }
}
