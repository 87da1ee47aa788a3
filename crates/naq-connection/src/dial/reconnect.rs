//! What happens before each attempt of a client to reconnect: the client asks where to go, we wait
//! out the delay, look the name up and ask for credentials.

use std::net::IpAddr;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::{ConnectErrorKind, ReconnectToServer, Server, ServerAddr};
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::auth::Proof;
use super::backoff::Backoff;
use super::failover::{Failover, Step};
use super::plan::{Newest, Plan};
use crate::error::{ConnectionError, ConnectionErrorKind};
use crate::link::{EndGuard, Feed, Signal};

/// What the callbacks of one client share. Holds no `Client`: that would keep it alive for ever.
pub(super) struct Callbacks {
    newest: Newest,
    feed: Arc<Feed>,
    failover: Mutex<Failover>,
    target: Mutex<Target>,
    /// Dropped with the connection task, whatever ended it.
    _end: EndGuard,
}

/// The attempt under way, or the last one.
struct Target {
    addr: ServerAddr,
    proof: Option<Proof>,
}

impl Callbacks {
    pub(super) fn new(
        newest: &Newest,
        feed: &Arc<Feed>,
        (place, addr): (usize, ServerAddr),
        proof: Option<Proof>,
    ) -> Self {
        let settings = &newest.load().settings;
        let mut failover = Failover::new(
            Backoff::new(settings.reconnect_time_wait),
            settings.max_reconnect_attempts,
        );
        failover.in_use(place);
        Self {
            newest: Arc::clone(newest),
            feed: Arc::clone(feed),
            failover: Mutex::new(failover),
            target: Mutex::new(Target { addr, proof }),
            _end: EndGuard::new(Arc::clone(feed)),
        }
    }

    pub(super) fn proof(&self) -> Option<Proof> {
        self.target().proof.clone()
    }

    /// The next step, given how the last attempt ended.
    fn step(&self, pool: &[Server], connects: u64) -> (Step, u32) {
        let refused = {
            let target = self.target();
            let tried = pool.iter().find(|server| server.addr == target.addr);
            tried
                .and_then(|server| server.last_error.as_deref())
                .is_some_and(is_refusal)
        };
        let mut failover = self.failover.lock().unwrap_or_else(PoisonError::into_inner);
        if refused {
            failover.refused(connects);
        }
        let step = failover.step(pool.len(), connects);
        (step, failover.attempts())
    }

    fn target(&self) -> MutexGuard<'_, Target> {
        self.target.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The client keeps of a failed attempt only the text. Credentials that could not be read are no
/// refusal: a file may be in exchange.
fn is_refusal(error: &str) -> bool {
    error.starts_with(&ConnectErrorKind::AuthorizationViolation.to_string())
}

/// Chooses the server of the next attempt and waits out its delay.
///
/// At the first connect there is nothing to choose, and `Some(ZERO)` spares the timer tick that
/// the client's own selection sleeps before every attempt.
pub(super) async fn next_server(
    callbacks: Arc<Callbacks>,
    pool: Vec<Server>,
) -> Option<ReconnectToServer> {
    let feed = &callbacks.feed;
    if !feed.is_attached() {
        let addr = callbacks.target().addr.clone();
        return Some(at_once(addr));
    }
    loop {
        let Some(connects) = feed.connects() else {
            return end_task(feed).await;
        };
        let (step, attempts) = callbacks.step(&pool, connects);
        let (server, delay) = match step {
            Step::Try { server, delay } => (server, delay),
            Step::GiveUp { attempts } => {
                feed.tell(Signal::Exhausted { attempts });
                return end_task(feed).await;
            }
            Step::Refused => {
                feed.tell(Signal::Refused);
                return end_task(feed).await;
            }
        };
        feed.attempting(attempts);
        let addr = pool.get(server)?.addr.clone();
        let prepared = async {
            tokio::time::sleep(delay).await;
            prepare(&callbacks.newest.load_full(), &addr).await
        };
        let prepared = tokio::select! {
            prepared = prepared => prepared,
            () = feed.stopped() => return end_task(feed).await,
        };
        match prepared {
            Ok(proof) => {
                *callbacks.target() = Target {
                    addr: addr.clone(),
                    proof,
                };
                return Some(at_once(addr));
            }
            Err(error) => {
                tracing::debug!(profile = feed.profile(), "an attempt to reconnect: {error}");
            }
        }
    }
}

/// All that has no deadline inside the client: the name is looked up here first, which also puts it
/// into the caches that the client's own look-up uses.
async fn prepare(plan: &Plan, addr: &ServerAddr) -> Result<Option<Proof>, ConnectionError> {
    let limit = plan.settings.connection_timeout;
    let ready = async {
        if addr.host().parse::<IpAddr>().is_err() {
            let found = lookup_host((addr.host(), addr.port())).await;
            let none = |error| {
                let context = format!("{}: {error}", addr.host());
                ConnectionError::with_source(ConnectionErrorKind::Connect, context, error)
            };
            drop(found.map_err(none)?);
        }
        plan.proof(addr).await
    };
    timeout(limit, ready).await.unwrap_or_else(|_elapsed| {
        Err(ConnectionError::new(
            ConnectionErrorKind::ConnectTimedOut,
            format!("no name or no credentials within {limit:?}"),
        ))
    })
}

fn at_once(addr: ServerAddr) -> ReconnectToServer {
    ReconnectToServer {
        addr,
        delay: Some(Duration::ZERO),
    }
}

/// Ends the connection task that runs this callback: the client has no other way to stop while it
/// is reconnecting. Unwinding like this skips the panic hook; a program built with
/// `panic = "abort"` gets a parked task instead.
fn end_task(feed: &Arc<Feed>) -> impl Future<Output = Option<ReconnectToServer>> + use<> {
    let feed = Arc::clone(feed);
    async move {
        if cfg!(panic = "unwind") {
            resume_unwind(Box::new("the connection has no owner any more"));
        }
        feed.end();
        std::future::pending().await
    }
}
