//! A few exclusive connections for many users.

use std::fmt;
use std::ops::Deref;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::owned::gone;
use super::stay::{CloseReport, Source, Stay};
use crate::error::{ConnectionError, ConnectionErrorKind, Operation};
use crate::lease::{Connection, end};
use crate::monitor::Place;

/// At most so many exclusive connections, each lent to one user at a time; see
/// [`ConnectionService::exclusive_pool`](crate::ConnectionService::exclusive_pool).
///
/// They are dialled when they are first needed and used again after that, the last one first. Users wait in
/// line. One whose client has ended is replaced at its next use. A clone is another handle on the same pool;
/// dropping the last one closes the connections in the background.
#[derive(Clone)]
pub struct ExclusivePool {
    inner: Arc<Inner>,
}

struct Inner {
    size: u32,
    turns: Arc<Semaphore>,
    /// `None` after the close.
    idle: Mutex<Option<Vec<Stay>>>,
    source: Box<dyn Source>,
}

/// A connection on loan; dropping it gives it back. Does what a [`Connection`] does.
pub struct Pooled {
    lease: Connection,
    _loan: Loan,
}

/// Goes back to the pool when it is dropped; to the janitor when the pool is closed.
struct Loan {
    stay: Option<Stay>,
    pool: Arc<Inner>,
    _turn: OwnedSemaphorePermit,
}

impl ExclusivePool {
    pub(crate) fn new(size: u32, source: Box<dyn Source>) -> Self {
        Self {
            inner: Arc::new(Inner {
                size,
                turns: Arc::new(Semaphore::new(size as usize)),
                idle: Mutex::new(Some(Vec::new())),
                source,
            }),
        }
    }

    /// A connection as soon as one is free, within `limit`; the dial of a new one included. Cancel safe.
    ///
    /// # Errors
    /// `Deadline` when none was free in time, or none could be dialled: a retry may help. `Closed` after
    /// [`close`](Self::close). Those of a dial, as in [`connection`](crate::ConnectionService::connection).
    #[track_caller]
    pub fn get(
        &self,
        limit: Duration,
    ) -> impl Future<Output = Result<Pooled, ConnectionError>> + Send {
        let at = Location::caller();
        async move {
            let lent = timeout(limit, self.lend(at)).await;
            lent.unwrap_or_else(|_elapsed| Err(self.busy(limit)))
        }
    }

    async fn lend(&self, at: Place) -> Result<Pooled, ConnectionError> {
        let inner = &self.inner;
        let turn = Arc::clone(&inner.turns).acquire_owned().await;
        let turn = turn.map_err(|_closed| gone())?;
        let idle = inner.lock().as_mut().ok_or_else(gone)?.pop();
        let mut stay = match idle {
            Some(stay) => stay,
            None => inner.source.stay().await?,
        };
        let lease = stay.lease(&*inner.source, at).await?.ok_or_else(gone)?;
        let loan = Loan {
            stay: Some(stay),
            pool: Arc::clone(inner),
            _turn: turn,
        };
        Ok(Pooled { lease, _loan: loan })
    }

    /// Lends no more, waits until all are back, and closes them, by `deadline`. One that comes back later is
    /// closed in the background. The reports are of those that were closed here.
    pub async fn close(&self, deadline: Duration) -> Vec<CloseReport> {
        let (inner, start) = (&self.inner, Instant::now());
        // All turns together: those in line before get theirs first.
        let (end, patience) = (end(start, deadline), end(start, deadline / 4 * 3));
        drop(timeout_at(patience, inner.turns.acquire_many(inner.size)).await);
        inner.turns.close();
        let idle = inner.lock().take().unwrap_or_default();
        join_all(idle.into_iter().map(|stay| stay.end(end))).await
    }

    fn busy(&self, limit: Duration) -> ConnectionError {
        let operation = Operation::Start;
        let size = self.inner.size;
        ConnectionError::new(
            ConnectionErrorKind::Deadline { operation },
            format!("none of {size} exclusive connections was free for {limit:?}"),
        )
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Option<Vec<Stay>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Pooled {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.lease
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let mut stay = self.stay.take();
        if let Some(idle) = self.pool.lock().as_mut() {
            idle.extend(stay.take());
        }
        // After the lock: what could not go back goes to the janitor.
        drop(stay);
    }
}

impl fmt::Debug for ExclusivePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let idle = self.inner.lock().as_ref().map(Vec::len);
        f.debug_struct("ExclusivePool")
            .field("size", &self.inner.size)
            .field("idle", &idle)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Pooled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pooled").field(&self.lease).finish()
    }
}
