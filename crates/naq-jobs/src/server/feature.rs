//! Says no early: the server's version and abilities, checked before anything is created.

use naq_connection::Connection;

use crate::{JobsError, JobsErrorKind};

/// The oldest nats-server that jobs work with, as major and minor number: message schedules with
/// time zones, cancel headers and consumer resets are of 2.14.
pub const MINIMUM_SERVER: (u64, u64) = (2, 14);

/// Refuses a server that lacks what jobs need.
pub(crate) fn check_server(conn: &Connection) -> Result<(), JobsError> {
    let info = conn.server_info();
    match version(&info.version) {
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
