//! Says no early: the server's version and abilities, checked before anything is created.

use naq_connection::{Connection, ConnectionErrorKind};

use crate::{JobsError, JobsErrorKind};

/// The oldest nats-server that jobs work with, as major and minor number: message schedules with
/// time zones, cancel headers and consumer resets are of 2.14.
pub const MINIMUM_SERVER: (u64, u64) = (2, 14);

/// Refuses a server that lacks what jobs need.
pub(crate) async fn check_server(conn: &Connection) -> Result<(), JobsError> {
    let info = conn.server_info();
    match version(&info.version) {
        // One of a cluster may be without it and pass on to those that have it.
        Some(found) if found >= MINIMUM_SERVER && !info.jetstream => {
            match conn.request("$JS.API.INFO", "").await {
                Err(error) if *error.kind() == ConnectionErrorKind::NoResponders => Err(
                    without_jetstream(&format!("the server {:?}", info.server_name)),
                ),
                _ => Ok(()),
            }
        }
        Some(found) if found >= MINIMUM_SERVER => Ok(()),
        _ => Err(JobsError::new(
            JobsErrorKind::Unsupported,
            format!(
                "use the server {:?}: it has version {}, jobs need nats-server {}.{} or newer \
                 (message schedules). Upgrade it, or run `naq dev`, which brings its own",
                info.server_name, info.version, MINIMUM_SERVER.0, MINIMUM_SERVER.1
            ),
        )),
    }
}

/// Nothing can be kept there.
pub(super) fn without_jetstream(what: &str) -> JobsError {
    let context = format!(
        "use {what}: JetStream is off, in which jobs are kept. Enable it (`nats-server --jetstream`, or `jetstream` in its \
         configuration and for the account), or run `naq dev`, which brings its own"
    );
    JobsError::new(JobsErrorKind::Unsupported, context)
}

/// Major and minor version of `2.15.1-beta`.
fn version(text: &str) -> Option<(u64, u64)> {
    let mut parts = text.trim_start_matches('v').split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(version("2.9.10").unwrap() < MINIMUM_SERVER);
        assert!(version("v2.15.1-beta").unwrap() > MINIMUM_SERVER);
        assert_eq!(version("two"), None);
    }
}
