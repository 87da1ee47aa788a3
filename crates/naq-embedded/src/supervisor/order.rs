//! What the holder of a server may ask of its supervisor.

use tokio::sync::{mpsc, oneshot};

use crate::error::{EmbeddedError, EmbeddedErrorKind};

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Down by SIGTERM, and stay down.
    Terminate,
    /// Down by SIGKILL, and stay down.
    Kill,
    /// Up, if it is not.
    Start,
    /// Down by SIGTERM, then up.
    Restart,
    /// Let the clients go, then end, and stay down.
    LameDuck,
    /// Down by SIGTERM, and the supervisor ends.
    Stop,
}

pub(super) type Reply = oneshot::Sender<Result<(), EmbeddedError>>;

/// The asking side.
#[derive(Debug, Clone)]
pub(crate) struct Orders(mpsc::Sender<(Order, Reply)>);

pub(super) type Inbox = mpsc::Receiver<(Order, Reply)>;

impl Orders {
    pub(super) fn channel() -> (Self, Inbox) {
        let (sender, inbox) = mpsc::channel(8);
        (Self(sender), inbox)
    }

    /// Asks, and waits until it is done.
    pub(crate) async fn give(&self, order: Order) -> Result<(), EmbeddedError> {
        let gone = || EmbeddedError::new(EmbeddedErrorKind::NotRunning, "the supervisor has ended");
        let (reply, done) = oneshot::channel();
        self.0.send((order, reply)).await.map_err(|_| gone())?;
        done.await.map_err(|_| gone())?
    }
}
