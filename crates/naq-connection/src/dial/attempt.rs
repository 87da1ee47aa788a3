//! The first dial of a client: one deadline around name lookup, TCP, TLS and handshake of all
//! servers together, a fair share of it for each.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, ConnectError, ConnectErrorKind, ConnectOptions, ServerAddr};
use tokio::time::{Instant, timeout};

use super::options::options;
use super::plan::{Newest, Plan};
use crate::error::{ConnectionError, ConnectionErrorKind};
use crate::link::{Feed, Link, Report};
use crate::monitor::Meter;

/// One dial: for whom, and by which plan.
pub(crate) struct Dialling {
    pub(crate) meter: Arc<Meter>,
    pub(crate) plan: Arc<Plan>,
    /// The plan that the client goes by when it reconnects.
    pub(crate) newest: Newest,
    /// Servers besides those of the plan.
    pub(crate) discovered: Vec<ServerAddr>,
}

/// Connects to the first server that answers, starting at a random one.
///
/// Refused credentials end the dial at once. Dropping the future leaves nothing behind.
pub(super) async fn dial(to: &Dialling, report: Report) -> Result<Arc<Link>, ConnectionError> {
    let plan = &to.plan;
    let deadline = Instant::now() + plan.settings.connection_timeout;
    let configured = plan.addrs();
    let start = fastrand::usize(..configured.len());
    let mut order: Vec<_> = configured.iter().enumerate().collect();
    order.rotate_left(start);
    let known = |addr: &&ServerAddr| !configured.contains(addr);
    let discovered = to.discovered.iter().filter(known);
    order.extend(discovered.map(|addr| (0, addr)));
    let mut pool = configured.clone();
    pool.extend(to.discovered.iter().filter(known).cloned());
    let mut last = None;
    for (nth, server) in order.iter().enumerate() {
        let left = u32::try_from(order.len() - nth).unwrap_or(u32::MAX);
        let share = deadline.saturating_duration_since(Instant::now()) / left;
        let feed = Arc::new(Feed::new(Arc::clone(&to.meter), Arc::clone(&report)));
        let attempt = async {
            let proof = plan.proof(server.1).await?;
            let options = options(plan, &to.newest, &feed, *server, proof);
            let connected = connect(pool.clone(), options).await;
            connected.map_err(|error| refused(server.1, error))
        };
        // Boxed: the handshake with TLS is a large future.
        let error = match timeout(share, Box::pin(attempt)).await {
            Ok(Ok(client)) => return Ok(Link::new(client, feed, &plan.settings)),
            Ok(Err(error)) => error,
            Err(_elapsed) => timed_out(server.1, share),
        };
        if *error.kind() == ConnectionErrorKind::AuthFailed {
            return Err(error);
        }
        last = Some(error);
    }
    Err(last
        .unwrap_or_else(|| ConnectionError::new(ConnectionErrorKind::InvalidSettings, "no server")))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place of the project that dials"
)]
async fn connect(
    servers: Vec<ServerAddr>,
    options: ConnectOptions,
) -> Result<Client, ConnectError> {
    options.connect(servers).await
}

fn refused(server: &ServerAddr, error: ConnectError) -> ConnectionError {
    let kind = match error.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            ConnectionErrorKind::AuthFailed
        }
        ConnectErrorKind::TimedOut => ConnectionErrorKind::ConnectTimedOut,
        ConnectErrorKind::ServerParse => ConnectionErrorKind::InvalidSettings,
        _ if is_tls(&error) => ConnectionErrorKind::Tls,
        _ => ConnectionErrorKind::Connect,
    };
    let name = server.as_url_str();
    ConnectionError::with_source(kind, format!("{name}: {error}"), error)
}

fn timed_out(server: &ServerAddr, share: Duration) -> ConnectionError {
    let name = server.as_url_str();
    ConnectionError::new(
        ConnectionErrorKind::ConnectTimedOut,
        format!("{name}: no answer within {share:?}"),
    )
}

/// The client reports a failed TLS handshake as an I/O error around the cause.
fn is_tls(error: &ConnectError) -> bool {
    if error.kind() == ConnectErrorKind::Tls {
        return true;
    }
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(error) = cause {
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(|error| error.get_ref());
        if error.is::<async_nats::rustls::Error>()
            || inner.is_some_and(|e| e.is::<async_nats::rustls::Error>())
        {
            return true;
        }
        cause = error.source();
    }
    false
}
