//! Leases on shared NATS connections: single-flight dialling, jittered reconnect, deadlines,
//! confirmed flush.
//!
//! ```no_run
//! # async fn run() -> Result<(), naq_connection::ConnectionError> {
//! use std::time::Duration;
//! use naq_connection::ConnectionService;
//! use naq_config::settings::NatsSettings;
//!
//! let service = ConnectionService::new(NatsSettings::default());
//! let connection = service.connection().await?;
//! connection.publish("greetings", "hello").await?;
//! connection.flush_confirmed().await?;
//! drop(connection);
//! service.shutdown(Duration::from_secs(30)).await;
//! # Ok(())
//! # }
//! ```
//!
//! # The life of a connection
//!
//! ```text
//!            first lease            dial ok                drop
//!    Idle ───────────────► Dialing ─────────► Connected ◄────────► Reconnecting
//!                            ▲  │                 │       restored     │    │ max_reconnect_attempts
//!                 next lease │  │ dial failed     │ shutdown, or the   │    ▼ (default: never)
//!                            │  ▼                 ▼ runtime ended      │  Failed
//!                            └─ Failed          Closed ◄───────────────┘
//! ```
//!
//! A profile has one multiplexed client, whatever the number of leases. The client restores a
//! lost connection by itself and each connection has an [epoch](State::epoch). When a client has
//! ended, its leases fail with a typed error and the next lease makes a new one.
//!
//! # What is promised
//!
//! * Every call has a deadline and fails with a [`ConnectionError`] that says whether waiting helps
//!   and whether the call may have had an effect.
//! * A request in flight fails as soon as its connection drops.
//! * [`Connection::flush_confirmed`] is a proof, not a hope: the server has read it all, or an error.
//! * Leaving a scope is a synchronous decrement, the same on success, error, panic and cancellation.
//! * [`Retry`] never repeats what may have had an effect unless told to; [`CircuitBreaker`] refuses
//!   at once while a server is down. Neither wraps nor changes the error of a call.
//! * What nobody holds any more stops: no task reconnects for ever on its own.
//!
//! `max_outstanding_pings` of the settings has no effect yet: the client gives a connection up
//! after two unanswered pings.

mod breaker;
mod change;
mod client_error;
mod dial;
pub mod doctor;
mod error;
mod exclusive;
mod health;
mod kv;
mod lease;
mod limiter;
mod link;
mod monitor;
mod retry;
pub mod scope;
mod service;
mod slot;
mod state;
mod streams;
mod sync;

pub use async_nats::jetstream::kv::{Config as BucketConfig, Operation as KvOperation};
pub use async_nats::jetstream::stream::Config as StreamConfig;
pub use breaker::{BreakerError, CircuitBreaker, CircuitBreakerBuilder, CircuitState};
pub use change::Change;
pub use error::{ConnectionError, ConnectionErrorKind, Operation};
pub use exclusive::{CloseReport, Exclusive, ExclusivePool, Pooled};
pub use health::{
    Health, HealthChecker, HealthCheckerBuilder, HealthState, Performance,
    measure_connection_performance, probe, probe_within, test_nats_connection,
    wait_for_nats_connection,
};
pub use kv::{
    KeyList, KvEntry, KvStore, KvValue, KvWatch, NatsKvStore, PutReport, nats_kv_store,
    with_kv_store,
};
pub use lease::{Connection, JetStream, Subscription, read_acknowledgement};
pub use limiter::{ConnectionLimiter, DEFAULT_LIMIT, LimitReached, Limiters, Permit};
pub use monitor::{
    Alert, AlertRules, Connected, Connecting, ConnectionMetrics, ConnectionMonitor, LeaseInfo,
    OperationMetrics, OperationTimer, Timing,
};
pub use retry::{Classify, Retry, RetryBudget, Retryable, Transient, When};
pub use scope::{
    ConfirmedConnection, NatsConnection, NatsJetStream, get_config, global, jetstream_context,
    monitored, nats_connection, nats_jetstream, shutdown_global, with_jetstream,
    with_nats_connection,
};
pub use service::{
    Acquire, ConnectionService, ConnectionServiceBuilder, DEFAULT_PROFILE, Lane, ShutdownReport,
    StartMode,
};
pub use state::{Failure, Phase, State};
pub use streams::{Ensured, Streams};
