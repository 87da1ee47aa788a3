//! The numbers of this runtime's connections, from anywhere.

use super::global::monitor;
use crate::error::ConnectionError;
use crate::monitor::{ConnectionMetrics, ConnectionMonitor};

/// The monitor of this runtime: that of the installed service, or else the one that all services
/// share which are made from the configuration. Connects to nothing and reads no file.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), naq_connection::ConnectionError> {
/// use naq_connection::{connection_monitor, get_connection_metrics};
///
/// connection_monitor()?.operation("report").succeeded();
/// assert_eq!(get_connection_metrics()?.operations["report"].succeeded, 1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `NoRuntime`.
pub fn connection_monitor() -> Result<ConnectionMonitor, ConnectionError> {
    monitor()
}

/// The numbers of [`connection_monitor`] as of now: a copy, all zero if nothing has connected yet.
///
/// # Errors
/// `NoRuntime`.
pub fn get_connection_metrics() -> Result<ConnectionMetrics, ConnectionError> {
    Ok(monitor()?.metrics())
}

/// Sets the numbers of [`connection_monitor`] to zero but for what is going on now: active
/// connections stay active.
///
/// # Errors
/// `NoRuntime`.
pub fn reset_connection_metrics() -> Result<(), ConnectionError> {
    monitor()?.reset();
    Ok(())
}
