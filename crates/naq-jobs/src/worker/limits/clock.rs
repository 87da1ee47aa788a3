//! The server's time, as this worker reckons it: measured now and then, carried on by a monotonic clock in between.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use naq_connection::Connection;

use crate::JobsError;
use crate::server::{Link, server_now};

/// Time after which it is measured anew.
const FRESH: Duration = Duration::from_secs(10);

/// A measured time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ServerClock(Option<(Instant, u64)>);

impl ServerClock {
    /// Microseconds since 1970 by the server's clock.
    pub(super) async fn now(&mut self, conn: &Connection, link: &Link) -> Result<u64, JobsError> {
        if let Some((at, server)) = self.0.filter(|(at, _)| at.elapsed() < FRESH) {
            return Ok(server + micros(at.elapsed()));
        }
        let sent = Instant::now();
        let server = server_now(conn, &link.names().limits_stream()).await?;
        let server = server.duration_since(UNIX_EPOCH).unwrap_or_default();
        // The answer was made half a round trip ago.
        let server = micros(server + sent.elapsed() / 2);
        self.0 = Some((Instant::now(), server));
        Ok(server)
    }
}

/// The instant `us` microseconds after 1970.
pub(super) fn instant(us: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_micros(us))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
