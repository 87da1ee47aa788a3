//! The first dial of a client: one deadline around name lookup, TCP, TLS and handshake of all
//! servers together, a fair share of it for each.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, ConnectError, ConnectErrorKind, ConnectOptions, ServerAddr};
use tokio::time::{Instant, timeout};

use super::options::options;
use super::plan::Plan;
use crate::error::{ConnectionError, ConnectionErrorKind};
use crate::link::{Feed, Link, Report};
use crate::monitor::Meter;

/// Connects to the first server that answers, starting at a random one.
///
/// Refused credentials end the dial at once. Dropping the future leaves nothing behind.
pub(super) async fn dial(
    meter: &Arc<Meter>,
    plan: &Arc<Plan>,
    report: Report,
) -> Result<Arc<Link>, ConnectionError> {
    let deadline = Instant::now() + plan.settings.connection_timeout;
    let servers = plan.endpoints.len();
    let start = fastrand::usize(..servers);
    let addrs: Vec<_> = plan.endpoints.iter().map(|e| e.addr.clone()).collect();
    let mut last = None;
    for nth in 0..servers {
        let server = (start + nth) % servers;
        let share = deadline
            .saturating_duration_since(Instant::now())
            .div_f64(f64::from(u32::try_from(servers - nth).unwrap_or(u32::MAX)));
        let feed = Arc::new(Feed::new(Arc::clone(meter), Arc::clone(&report)));
        let attempt = connect(addrs.clone(), options(plan, &feed, server));
        // Boxed: the handshake with TLS is a large future.
        let error = match timeout(share, Box::pin(attempt)).await {
            Ok(Ok(client)) => return Ok(Link::new(client, feed, &plan.settings)),
            Ok(Err(error)) => refused(plan, server, error),
            Err(_elapsed) => timed_out(plan, server, share),
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

fn refused(plan: &Plan, server: usize, error: ConnectError) -> ConnectionError {
    let kind = match error.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            ConnectionErrorKind::AuthFailed
        }
        ConnectErrorKind::TimedOut => ConnectionErrorKind::ConnectTimedOut,
        ConnectErrorKind::ServerParse => ConnectionErrorKind::InvalidSettings,
        _ if is_tls(&error) => ConnectionErrorKind::Tls,
        _ => ConnectionErrorKind::Connect,
    };
    let name = plan.endpoints[server].name();
    ConnectionError::with_source(kind, format!("{name}: {error}"), error)
}

fn timed_out(plan: &Plan, server: usize, share: Duration) -> ConnectionError {
    let name = plan.endpoints[server].name();
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
