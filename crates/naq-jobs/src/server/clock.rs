//! Points in time, as the wire has them, and the newest point of a stream.

use std::time::{SystemTime, UNIX_EPOCH};

use naq_connection::Connection;
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::api::{call, refused};
use crate::wire::millis;
use crate::{JobsError, JobsErrorKind};

#[derive(Deserialize)]
struct Clock {
    ts: String,
}

/// The time of the server that leads `stream`. What is due is decided by it alone, so the clocks of workers may be wrong.
pub(crate) async fn server_now(conn: &Connection, stream: &str) -> Result<SystemTime, JobsError> {
    let context = "read the server's clock";
    let clock = call::<Clock>(conn, &format!("STREAM.INFO.{stream}"), &()).await?;
    let clock = clock.map_err(|e| refused(context, e))?;
    let now = OffsetDateTime::parse(&clock.ts, &Rfc3339)
        .map_err(|e| JobsError::new(JobsErrorKind::Corrupt, context).because(e))?;
    Ok(now.into())
}

/// The instant that an RFC 3339 text means.
pub(crate) fn read_rfc3339(text: &str) -> Option<SystemTime> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    Some(time.into())
}

#[derive(Deserialize)]
struct Extent {
    state: ExtentState,
}

#[derive(Deserialize)]
struct ExtentState {
    last_seq: u64,
}

/// The sequence of the newest message that was ever stored in `stream`.
pub(crate) async fn last_sequence(conn: &Connection, stream: &str) -> Result<u64, JobsError> {
    let extent = call::<Extent>(conn, &format!("STREAM.INFO.{stream}"), &()).await?;
    let extent = extent.map_err(|e| refused(format!("look at the stream {stream}"), e))?;
    Ok(extent.state.last_seq)
}

/// Milliseconds since 1970.
pub(crate) fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    millis(since)
}

/// Milliseconds since 1970, now.
pub(crate) fn now_ms() -> u64 {
    unix_ms(SystemTime::now())
}

/// The form of the server's schedules. `None` for a year that has no such form (after 9999).
pub(crate) fn rfc3339(time: SystemTime) -> Option<String> {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let nanos = i128::try_from(since.as_nanos()).ok()?;
    OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .ok()?
        .format(&Rfc3339)
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_time_is_written_as_the_server_reads_it() {
        let time = UNIX_EPOCH + Duration::from_millis(1_763_762_400_123);
        assert_eq!(rfc3339(time).unwrap(), "2025-11-21T22:00:00.123Z");
        assert_eq!(
            rfc3339(UNIX_EPOCH + Duration::from_secs(u64::from(u32::MAX) * 1000)),
            None
        );
    }
}
