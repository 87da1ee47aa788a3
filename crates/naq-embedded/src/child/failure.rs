//! Reads from the log why a server did not come up.

use crate::error::{EmbeddedError, EmbeddedErrorKind};

/// What the server writes, and what it means to us. The first that matches counts.
const SIGNS: [(&str, EmbeddedErrorKind, &str); 8] = [
    (
        "address already in use",
        EmbeddedErrorKind::PortInUse,
        "a port of the server is in use by another program; choose another, or none",
    ),
    (
        "storage directory is not writable",
        EmbeddedErrorKind::StoreNotWritable,
        "the server cannot write its store directory",
    ),
    (
        "storage directory is not a directory",
        EmbeddedErrorKind::StoreNotWritable,
        "a file is in the way of the server's store",
    ),
    (
        "could not create storage directory",
        EmbeddedErrorKind::StoreNotWritable,
        "the server cannot make its store directory",
    ),
    (
        "permission denied",
        EmbeddedErrorKind::StoreNotWritable,
        "the server may not use its store directory",
    ),
    (
        "Permission denied",
        EmbeddedErrorKind::NotExecutable,
        "the server binary may not be executed",
    ),
    (
        "Exec format error",
        EmbeddedErrorKind::NotExecutable,
        "the server binary is not made for this machine",
    ),
    (
        "nats.conf:",
        EmbeddedErrorKind::InvalidConfig,
        "the server refused its configuration; see the extra configuration that was given",
    ),
];

/// The error for a server that ended (`how`) while it started.
pub(crate) fn explain(how: &str, log: Vec<String>) -> EmbeddedError {
    let found = SIGNS
        .iter()
        .find(|(sign, ..)| log.iter().any(|line| line.contains(sign)));
    let error = match found {
        Some((_, kind, meaning)) => EmbeddedError::new(*kind, *meaning),
        None => EmbeddedError::new(
            EmbeddedErrorKind::Exited,
            format!("the server ended while it started ({how})"),
        ),
    };
    error.with_log(log)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(line: &str) -> EmbeddedErrorKind {
        explain("exit code 1", vec![line.to_owned()]).kind()
    }

    #[test]
    fn the_log_line_decides_the_kind() {
        assert_eq!(
            kind_of("[FTL] Error listening on port: 127.0.0.1:1, \"bind: address already in use\""),
            EmbeddedErrorKind::PortInUse
        );
        assert_eq!(
            kind_of("nats-server: /tmp/x/nats.conf:9:3: unknown field \"nonsense\""),
            EmbeddedErrorKind::InvalidConfig
        );
        assert_eq!(kind_of("panic: oops"), EmbeddedErrorKind::Exited);
    }
}
