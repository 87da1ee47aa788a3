//! Keys of section `nats`.

use super::key;
use crate::schema::input::{put, put_limit};
use crate::schema::{Form, KeySpec};

pub(super) static NATS: &[KeySpec] = &[
    key(
        "nats.servers",
        Form::List,
        "Server URLs (nats://, tls://, ws://, wss://), with credentials if need be; in a text \
         or variable, commas separate several.",
        |s, _, i| put(&mut s.nats.servers, i),
    )
    .variables(&["NAQ_NATS_URL"])
    .commas(),
    key(
        "nats.client_name",
        Form::Text,
        "Name in the server's connection list.",
        |s, _, i| put(&mut s.nats.client_name, i),
    )
    .variables(&["NAQ_CLIENT_NAME", "NAQ_NATS_CLIENT_NAME"]),
    key(
        "nats.max_reconnect_attempts",
        Form::Limit,
        "Attempts in a row after which a lost connection is given up; -1 or unlimited never \
         gives up, 0 makes none.",
        |s, _, i| put_limit(&mut s.nats.max_reconnect_attempts, i),
    )
    .variables(&["NAQ_MAX_RECONNECT", "NAQ_MAX_RECONNECT_ATTEMPTS"])
    .optional(),
    key(
        "nats.reconnect_time_wait",
        Form::Time,
        "Longest wait between two attempts; the waits grow up to it and have jitter.",
        |s, _, i| put(&mut s.nats.reconnect_time_wait, i),
    )
    .variables(&["NAQ_RECONNECT_TIME_WAIT"]),
    key(
        "nats.connection_timeout",
        Form::Time,
        "Time for one dial: name lookup, TCP, TLS and the handshake.",
        |s, _, i| put(&mut s.nats.connection_timeout, i),
    )
    .variables(&["NAQ_CONNECTION_TIMEOUT"]),
    key(
        "nats.drain_timeout",
        Form::Time,
        "Time that closing may take.",
        |s, _, i| put(&mut s.nats.drain_timeout, i),
    )
    .variables(&["NAQ_DRAIN_TIMEOUT"]),
    key(
        "nats.flush_timeout",
        Form::Time,
        "Time that a confirmed flush may take.",
        |s, _, i| put(&mut s.nats.flush_timeout, i),
    )
    .variables(&["NAQ_FLUSH_TIMEOUT"]),
    key(
        "nats.request_timeout",
        Form::Time,
        "Time that one request or acknowledged publish may take.",
        |s, _, i| put(&mut s.nats.request_timeout, i),
    )
    .variables(&["NAQ_REQUEST_TIMEOUT"]),
    key(
        "nats.ping_interval",
        Form::Time,
        "Longest time between two PINGs of a silent connection.",
        |s, _, i| put(&mut s.nats.ping_interval, i),
    )
    .variables(&["NAQ_PING_INTERVAL"]),
    key(
        "nats.max_outstanding_pings",
        Form::Number,
        "A silent connection counts as lost after this many `ping_interval`s; more than 3 count as 3.",
        |s, _, i| put(&mut s.nats.max_outstanding_pings, i),
    )
    .variables(&["NAQ_MAX_OUTSTANDING_PINGS"]),
    key(
        "nats.stall_timeout",
        Form::Time,
        "Time without an answer after which a connection in use counts as lost; 0 turns it off.",
        |s, _, i| put(&mut s.nats.stall_timeout, i),
    )
    .variables(&["NAQ_STALL_TIMEOUT"]),
    key(
        "nats.max_lifetime",
        Form::Time,
        "Age at which a connection is replaced by a new one, less up to a tenth by chance.",
        |s, _, i| put(&mut s.nats.max_lifetime, i),
    )
    .optional()
    .variables(&["NAQ_MAX_LIFETIME"]),
    key(
        "nats.max_pending_bytes",
        Form::Size,
        "Bytes that may wait in this process to be sent, over all leases of a connection.",
        |s, _, i| put(&mut s.nats.max_pending_bytes, i),
    )
    .variables(&["NAQ_MAX_PENDING_BYTES"]),
    key(
        "nats.max_pending_messages",
        Form::Number,
        "Messages that may wait in this process to be sent.",
        |s, _, i| put(&mut s.nats.max_pending_messages, i),
    )
    .variables(&["NAQ_MAX_PENDING_MESSAGES"]),
    key(
        "nats.auth.username",
        Form::Text,
        "User name; needs the password.",
        |s, _, i| put(&mut s.nats.auth.username, i),
    )
    .variables(&["NAQ_NATS_AUTH_USERNAME"])
    .optional(),
    key(
        "nats.auth.password",
        Form::Text,
        "Password of the user.",
        |s, _, i| put(&mut s.nats.auth.password, i),
    )
    .variables(&["NAQ_NATS_AUTH_PASSWORD"])
    .secret()
    .optional(),
    key("nats.auth.token", Form::Text, "Token.", |s, _, i| {
        put(&mut s.nats.auth.token, i)
    })
    .variables(&["NAQ_NATS_AUTH_TOKEN"])
    .secret()
    .optional(),
    key(
        "nats.auth.nkey_seed",
        Form::Text,
        "Seed of an nkey (SU...).",
        |s, _, i| put(&mut s.nats.auth.nkey_seed, i),
    )
    .variables(&["NAQ_NATS_AUTH_NKEY_SEED"])
    .optional()
    .secret(),
    key(
        "nats.auth.nkey_seed_file",
        Form::Path,
        "File with the seed of an nkey; read again at every dial.",
        |s, _, i| put(&mut s.nats.auth.nkey_seed_file, i),
    )
    .variables(&["NAQ_NATS_AUTH_NKEY_SEED_FILE"])
    .optional(),
    key(
        "nats.auth.credentials_file",
        Form::Path,
        "Credentials file (.creds) with a user JWT and its seed; read again at every dial.",
        |s, _, i| put(&mut s.nats.auth.credentials_file, i),
    )
    .variables(&["NAQ_NATS_AUTH_CREDENTIALS_FILE"])
    .optional(),
    key(
        "nats.tls.enabled",
        Form::Flag,
        "Whether TLS is required; a tls:// URL requires it too.",
        |s, _, i| put(&mut s.nats.tls.enabled, i),
    )
    .variables(&["NAQ_NATS_TLS_ENABLED"]),
    key(
        "nats.tls.cert_file",
        Form::Path,
        "Client certificate (PEM); needs the key.",
        |s, _, i| put(&mut s.nats.tls.cert_file, i),
    )
    .variables(&["NAQ_NATS_TLS_CERT_FILE"])
    .optional(),
    key(
        "nats.tls.key_file",
        Form::Path,
        "Key of the client certificate (PEM).",
        |s, _, i| put(&mut s.nats.tls.key_file, i),
    )
    .variables(&["NAQ_NATS_TLS_KEY_FILE"])
    .optional(),
    key(
        "nats.tls.ca_file",
        Form::Path,
        "Certificates of the authorities that sign the server's (PEM); those of the system if \
         empty.",
        |s, _, i| put(&mut s.nats.tls.ca_file, i),
    )
    .variables(&["NAQ_NATS_TLS_CA_FILE"])
    .optional(),
];
