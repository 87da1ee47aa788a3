//! One named call, watched: what `#[with_connection_monitoring]` expands to.

use tokio::time::Instant;
use tracing::Instrument;

/// Runs `call` in a span named `call`, with the field `name`, and records how long it took.
///
/// ```
/// # async fn example() -> Result<(), std::io::Error> {
/// naq_connection::monitored("import", async { Ok(()) }).await
/// # }
/// ```
///
/// # Errors
/// That of `call`, unchanged.
pub async fn monitored<T, E>(
    name: &'static str,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let start = Instant::now();
    let result = call.instrument(tracing::info_span!("call", name)).await;
    let (took, ok) = (start.elapsed(), result.is_ok());
    tracing::debug!(name, ?took, ok, "the call has ended");
    result
}
