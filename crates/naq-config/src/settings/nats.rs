//! Section `nats`: how to reach the servers.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::{Secret, redact_url};

/// Section `nats`. `Debug` hides the credentials in server URLs.
#[derive(Clone, PartialEq)]
pub struct NatsSettings {
    /// Server URLs (`nats://`, `tls://`, `ws://`, `wss://`); at least one. Default `nats://localhost:4222`.
    pub servers: Vec<String>,
    /// Name shown in the server's connection list. Default `naq-client`.
    pub client_name: String,
    /// Attempts in a row after which a lost connection is given up; `None` (the default) never gives up.
    pub max_reconnect_attempts: Option<u32>,
    /// Upper bound of the jittered wait between two attempts. Default 500 ms.
    pub reconnect_time_wait: Duration,
    /// Time for one dial: name lookup, TCP, TLS and the NATS handshake. Default 10 s.
    pub connection_timeout: Duration,
    /// Time that closing may take. Default 30 s.
    pub drain_timeout: Duration,
    /// Time that a confirmed flush may take. Default 5 s.
    pub flush_timeout: Duration,
    /// Time that one request or acknowledged publish may take. Default 5 s.
    pub request_timeout: Duration,
    /// Longest time between two PINGs of a silent connection. Default 120 s.
    pub ping_interval: Duration,
    /// A silent connection counts as lost after this many `ping_interval`s. At least 1; more than 3
    /// count as 3, since the client has that limit of its own. Default 2.
    pub max_outstanding_pings: u32,
    /// Time without an answer after which a connection in use counts as lost; zero turns it off.
    /// Default 3 s.
    pub stall_timeout: Duration,
    /// Age at which a connection is replaced by a new one, less up to a tenth by chance; `None` (the
    /// default) keeps it.
    pub max_lifetime: Option<Duration>,
    /// Bytes that may wait in this process to be sent, over all leases of a connection. Default 8 MiB.
    pub max_pending_bytes: u64,
    /// Messages that may wait in this process to be sent: the length of the client's queue. Default 2048.
    pub max_pending_messages: u32,
    /// Credentials.
    pub auth: Auth,
    /// Transport security.
    pub tls: Tls,
}

/// Section `nats.auth`: one of a user with a password, a token, an nkey and a credentials file, or nothing.
///
/// The files are read again at every dial, so that credentials can be exchanged without a restart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Auth {
    /// User name; needs `password`.
    pub username: Option<String>,
    /// Password of `username`.
    pub password: Option<Secret>,
    /// Token.
    pub token: Option<Secret>,
    /// Seed of an nkey (`SU...`).
    pub nkey_seed: Option<Secret>,
    /// File with the seed of an nkey.
    pub nkey_seed_file: Option<PathBuf>,
    /// Credentials file (`.creds`): a user JWT and its seed.
    pub credentials_file: Option<PathBuf>,
}

/// Section `nats.tls`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// Whether TLS is required. Default false (a `tls://` URL requires it too).
    pub enabled: bool,
    /// Client certificate (PEM); needs `key_file`.
    pub cert_file: Option<PathBuf>,
    /// Key of the client certificate (PEM); needs `cert_file`.
    pub key_file: Option<PathBuf>,
    /// Certificate authority that signs the server's certificate (PEM).
    pub ca_file: Option<PathBuf>,
}

impl Default for NatsSettings {
    fn default() -> Self {
        Self {
            servers: vec!["nats://localhost:4222".to_owned()],
            client_name: "naq-client".to_owned(),
            max_reconnect_attempts: None,
            reconnect_time_wait: Duration::from_millis(500),
            connection_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(30),
            flush_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(5),
            ping_interval: Duration::from_secs(120),
            max_outstanding_pings: 2,
            stall_timeout: Duration::from_secs(3),
            max_lifetime: None,
            max_pending_bytes: 8 * 1024 * 1024,
            max_pending_messages: 2048,
            auth: Auth::default(),
            tls: Tls::default(),
        }
    }
}

impl fmt::Debug for NatsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<_> = self.servers.iter().map(|url| redact_url(url)).collect();
        f.debug_struct("NatsSettings")
            .field("servers", &servers)
            .field("client_name", &self.client_name)
            .field("max_reconnect_attempts", &self.max_reconnect_attempts)
            .field("reconnect_time_wait", &self.reconnect_time_wait)
            .field("connection_timeout", &self.connection_timeout)
            .field("drain_timeout", &self.drain_timeout)
            .field("flush_timeout", &self.flush_timeout)
            .field("request_timeout", &self.request_timeout)
            .field("ping_interval", &self.ping_interval)
            .field("max_outstanding_pings", &self.max_outstanding_pings)
            .field("stall_timeout", &self.stall_timeout)
            .field("max_lifetime", &self.max_lifetime)
            .field("max_pending_bytes", &self.max_pending_bytes)
            .field("max_pending_messages", &self.max_pending_messages)
            .field("auth", &self.auth)
            .field("tls", &self.tls)
            .finish()
    }
}
