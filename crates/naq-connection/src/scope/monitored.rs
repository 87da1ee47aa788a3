//! One named call, watched: what `#[with_connection_monitoring]` expands to.

use super::global::global;
use crate::monitor::ConnectionMonitor;

/// Runs `call` as the operation `name` of this runtime's service, or of no service where there is
/// none: see [`ConnectionMonitor::monitored`].
///
/// ```
/// # async fn example() -> Result<(), std::io::Error> {
/// naq_connection::monitored("import", async { Ok(()) }).await
/// # }
/// ```
///
/// # Errors
/// That of `call`, unchanged.
pub async fn monitored<T, E>(name: &str, call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let service = global().ok();
    let own = ConnectionMonitor::default();
    let monitor = service.as_ref().map_or(&own, |service| service.monitor());
    monitor.monitored(name, call).await
}
