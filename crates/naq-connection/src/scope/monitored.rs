//! One named call, watched: what `#[with_connection_monitoring]` expands to.

use super::global::monitor;

/// Runs `call` as the operation `name` of [`connection_monitor`](crate::connection_monitor), or of a
/// monitor that is forgotten where there is no runtime: see
/// [`ConnectionMonitor::monitored`](crate::ConnectionMonitor::monitored).
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
    let monitor = monitor().unwrap_or_default();
    monitor.monitored(name, call).await
}
