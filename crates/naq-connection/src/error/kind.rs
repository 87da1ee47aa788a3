//! What can go wrong, by kind.

use std::fmt;

use crate::error::Change;

/// What a [`ConnectionError`](crate::ConnectionError) is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionErrorKind {
    /// The settings can't be used: no server, not a URL, a file that is missing. Retrying never helps.
    InvalidSettings,
    /// The service has no profile of this name. Retrying never helps.
    UnknownProfile,
    /// The call was made outside of a Tokio runtime.
    NoRuntime,
    /// No server could be reached. A later attempt may succeed.
    Connect,
    /// No server answered within `connection_timeout`. A later attempt may succeed.
    ConnectTimedOut,
    /// The TLS handshake failed. Retrying does not help until a certificate changes.
    Tls,
    /// The server refused the credentials. Retrying does not help until they change.
    AuthFailed,
    /// The credentials could not be had: their provider failed or was too slow. A later attempt may succeed.
    Credentials,
    /// The connection was lost, and `max_reconnect_attempts` attempts in a row failed.
    /// Each acquire makes one new attempt, so a later one may succeed.
    ReconnectsExhausted,
    /// The client behind this lease has ended. Acquire a new lease.
    Closed,
    /// The service is shutting down and gives no new leases. Retrying never helps.
    ShuttingDown,
    /// The connection dropped while the call waited; `epoch` is the one that ended.
    /// The server may or may not have seen the message.
    ConnectionLost {
        /// The epoch that ended.
        epoch: u64,
    },
    /// There was no connection until the deadline; nothing was sent. Safe to retry.
    NotConnected,
    /// The deadline passed.
    Deadline {
        /// What was being done.
        operation: Operation,
    },
    /// Nobody listens on the subject (for an acknowledged publish: no stream takes it, or none
    /// has a leader right now). Nothing was processed; a later attempt may succeed.
    NoResponders,
    /// An acknowledged publish was sent and its acknowledgement was lost: the message may be
    /// stored or not. Repeat it only with the same `Nats-Msg-Id`.
    OutcomeUnknown,
    /// JetStream refused the request.
    Api {
        /// Class of the refusal, as in HTTP.
        code: u16,
        /// The exact reason; see `async_nats::jetstream::ErrorCode`.
        err_code: u64,
        /// The server's own words.
        description: String,
    },
    /// There is no such bucket or stream. Retrying does not help until somebody makes it.
    NotFound,
    /// A key was changed by somebody else meanwhile, or is there already; nothing was written. Read
    /// it again and decide anew.
    Conflict {
        /// The revision that the key has, where it is known.
        revision: Option<u64>,
    },
    /// The bucket or stream exists and can't be made what was asked for; nothing was changed.
    /// Retrying never helps.
    Incompatible {
        /// What differs and can't be changed.
        changes: Vec<Change>,
    },
    /// The name can't be that of a bucket, a key or a stream. Retrying never helps.
    InvalidName,
    /// The subject or the queue group is not valid. Retrying never helps.
    InvalidSubject,
    /// Headers and payload are larger than the server accepts. Retrying never helps.
    PayloadTooLarge,
    /// The reply could not be read.
    Protocol,
    /// The client failed in a way of its own; the source tells how. Retrying rarely helps.
    Client,
}

/// What a call was doing when its deadline passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Queueing a message for sending; it was not queued.
    Publish,
    /// Waiting for a reply; the server may have seen the request.
    Request,
    /// Reading what a stream has stored; nothing was changed.
    Read,
    /// Queueing a subscription; it was not queued.
    Subscribe,
    /// Waiting for the proof that everything sent so far has arrived.
    Flush,
    /// Waiting for the first connection.
    Start,
}

impl fmt::Display for ConnectionErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidSettings => f.write_str("invalid settings"),
            Self::UnknownProfile => f.write_str("unknown profile"),
            Self::NoRuntime => f.write_str("no Tokio runtime"),
            Self::Connect => f.write_str("could not connect"),
            Self::ConnectTimedOut => f.write_str("connecting timed out"),
            Self::Tls => f.write_str("TLS failed"),
            Self::Credentials => f.write_str("no credentials"),
            Self::AuthFailed => f.write_str("authentication failed"),
            Self::ReconnectsExhausted => f.write_str("reconnect attempts exhausted"),
            Self::Closed => f.write_str("connection closed"),
            Self::ShuttingDown => f.write_str("shutting down"),
            Self::ConnectionLost { epoch } => write!(f, "connection lost (epoch {epoch})"),
            Self::NotConnected => f.write_str("not connected"),
            Self::Deadline { operation } => write!(f, "{operation} deadline passed"),
            Self::NoResponders => f.write_str("no responders"),
            Self::OutcomeUnknown => f.write_str("outcome unknown"),
            Self::Api {
                code,
                err_code,
                description,
            } => write!(
                f,
                "JetStream refused: {description} (code {code}, error code {err_code})"
            ),
            Self::NotFound => f.write_str("not found"),
            Self::Conflict { revision: None } => f.write_str("conflict"),
            Self::Conflict {
                revision: Some(revision),
            } => write!(f, "conflict with revision {revision}"),
            Self::Incompatible { .. } => f.write_str("incompatible"),
            Self::InvalidName => f.write_str("invalid name"),
            Self::InvalidSubject => f.write_str("invalid subject"),
            Self::PayloadTooLarge => f.write_str("payload too large"),
            Self::Protocol => f.write_str("unreadable reply"),
            Self::Client => f.write_str("the client failed"),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Publish => "publish",
            Self::Request => "request",
            Self::Read => "read",
            Self::Subscribe => "subscribe",
            Self::Flush => "flush",
            Self::Start => "start",
        })
    }
}
