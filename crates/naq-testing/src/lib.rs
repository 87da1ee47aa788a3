//! A real nats-server per test, and a network that fails on command, for the tests of NAQ and of its users.
//!
//! ```no_run
//! use std::time::Duration;
//! use naq_testing::{TestServer, eventually_eq};
//!
//! # async fn example() {
//! let server = TestServer::start().await;
//! let settings = server.settings();
//! // … connect with `settings`, and ask the server itself what it saw:
//! eventually_eq(Duration::from_secs(5), 1, async || server.varz().await.connections).await;
//! server.stop().await;
//! # }
//! ```
//!
//! With the feature `jobs`, `TestJobs` is a job system of its own for one test: run what was enqueued, look at it, and move
//! time on.
//!
//! With the feature `traces`, `TraceCollector` takes the traces of a program as a real collector does, and `tree` draws them.
//!
//! [`HeldPort`] is a port at which nobody listens, for a server that comes later, or never.
//!
//! With the feature `browser`, `Browser` is a real Chromium for tests of web pages.
//!
//! Everything here panics instead of returning errors: in a test, a server that cannot be started or asked is a
//! failure, never a reason to skip.

#[cfg(feature = "browser")]
mod browser;
mod eventually;
#[cfg(feature = "jobs")]
mod jobs;
mod proxy;
mod report;
mod test_cluster;
mod test_server;
mod test_settings;
#[cfg(feature = "traces")]
mod traces;

#[cfg(feature = "browser")]
pub use browser::{Browser, BrowserError, BrowserLookup, Programs};
pub use eventually::{eventually, eventually_eq};
#[cfg(feature = "browser")]
pub use fantoccini;
#[cfg(feature = "jobs")]
pub use jobs::{Expected, TestJobs};
pub use naq_embedded::HeldPort;
pub use proxy::{Direction, FaultProxy};
pub use report::{Connection, Connz, Consumer, Jsz, Stream, Varz};
pub use test_cluster::TestCluster;
pub use test_server::TestServer;
#[cfg(feature = "traces")]
pub use traces::{CollectedSpan, TraceCollector, tree};
