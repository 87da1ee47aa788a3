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
//! # Scopes
//!
//! Functions that are given no service use the one of the runtime that they run on: that which was
//! [installed](ConnectionService::install_global), or one made from the configuration at the first
//! use. A scope is a lease; leaving it closes nothing. The same in three spellings:
//!
//! ```no_run
//! use naq_connection::{
//!     Connection, ConnectionError, nats_connection, retry_on_connection_failure,
//!     with_connection_monitoring, with_nats_connection,
//! };
//!
//! async fn guard() -> Result<(), ConnectionError> {
//!     let connection = nats_connection().await?;
//!     connection.publish("greetings", "hello").await
//! }
//!
//! async fn closure() -> Result<(), ConnectionError> {
//!     with_nats_connection(async |connection| connection.publish("greetings", "hello").await).await
//! }
//!
//! // Called as `attribute("hello")`: the first parameter is given by the attribute.
//! #[retry_on_connection_failure(max_retries = 3, retry_delay = "1s", backoff_factor = 2.0)]
//! #[with_connection_monitoring]
//! #[with_nats_connection]
//! async fn attribute(connection: &Connection, text: &str) -> Result<(), ConnectionError> {
//!     connection.publish("greetings", text.to_owned()).await
//! }
//! ```
//!
//! [`nats_jetstream`] and [`nats_kv_store`] are scopes of JetStream and of a bucket. A failure of
//! this crate that leaves a closure or an attribute is one error record; with a guard,
//! [`Connection::recorded`] writes it. [`get_connection_metrics`] has the numbers of all scopes of the
//! runtime. What is not awaited is not connected, and the compiler says so:
//!
//! ```compile_fail,E0599
//! # async fn misuse() {
//! let connection = naq_connection::nats_connection();
//! connection.publish("greetings", "hello").await;
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
//! A client can also be *replaced* while it works: by [rotation](ConnectionService::rotate), by a
//! [reload](ConnectionService::reload), because its server is about to shut down, because of its age
//! (`max_lifetime`) or its use. The new one is dialled first; from then on new leases are on it, and
//! the old one is flushed and closed when its last lease has come back. [Events](ConnectionService::events)
//! tell of all this.
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
//! * A link on which nothing comes in any more is noticed within `stall_timeout` while it is in use,
//!   and after `ping_interval` x `max_outstanding_pings` (3 at most) while it is idle.
//! * Credentials are asked for before each dial. If the server refuses them twice in a row, the
//!   connection is given up, since trying for ever locks accounts and helps nobody.
//! * What nobody holds any more stops: no task reconnects for ever on its own.

mod breaker;
mod dial;
pub mod doctor;
mod error;
mod events;
mod exclusive;
mod health;
mod kv;
mod lane;
mod lease;
mod limiter;
mod link;
mod monitor;
mod retry;
pub mod scope;
mod service;
mod sharing;
mod slot;
mod state;
mod streams;
mod sync;

pub use breaker::{BreakerError, CircuitBreaker, CircuitBreakerBuilder, CircuitState};
pub use error::{Change, ConnectionError, ConnectionErrorKind, Operation};
pub use events::{Event, EventKind, Events, Missed, ReplaceReason};
pub use exclusive::{CloseReport, Exclusive, ExclusivePool, Pooled};
pub use health::{
    Health, HealthChecker, HealthCheckerBuilder, HealthState, Performance,
    measure_connection_performance, probe, probe_within, test_nats_connection,
    wait_for_nats_connection,
};
pub use kv::{
    BucketConfig, KeyList, KvEntry, KvOperation, KvStore, KvValue, KvWatch, NatsKvStore, PutReport,
    nats_kv_store, with_kv_store,
};
pub use lane::Lane;
pub use lease::{Connection, JetStream, Subscription, read_acknowledgement};
pub use limiter::{ConnectionLimiter, DEFAULT_LIMIT, LimitReached, Limiters, Permit};
pub use monitor::{
    Alert, AlertRules, Connected, Connecting, ConnectionMetrics, ConnectionMonitor, LeaseInfo,
    OperationMetrics, OperationTimer, Timing,
};
#[cfg(feature = "macros")]
pub use naq_macros::{
    retry_on_connection_failure, with_connection_monitoring, with_jetstream_context, with_kv_store,
    with_nats_connection,
};
pub use retry::{Attempts, Classify, Retry, RetryBudget, Retryable, Transient, When};
pub use scope::{
    ConfirmedConnection, NatsConnection, NatsJetStream, connection_monitor, get_config,
    get_connection_metrics, global, jetstream_context, monitored, nats_connection, nats_jetstream,
    reset_connection_metrics, shutdown_global, with_jetstream, with_nats_connection,
};
#[cfg(feature = "watch")]
pub use service::Following;
pub use service::{
    Acquire, ConnectionService, ConnectionServiceBuilder, Credentials, DEFAULT_PROFILE,
    ProfileReload, ReloadReport, ShutdownReport, StartMode,
};
pub use state::{Failure, Phase, State};
pub use streams::{Ensured, StreamConfig, Streams};
