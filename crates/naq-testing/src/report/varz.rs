//! `/varz`: totals of one server.

use naq_embedded::EmbeddedServer;
use serde::Deserialize;

/// Totals of one server since its start.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Varz {
    /// Client connections open now.
    pub connections: u64,
    /// Client connections ever made; the server's own readiness checks and other tests' connections count.
    pub total_connections: u64,
    /// Subscriptions now, those of the server itself included.
    pub subscriptions: u64,
    /// Clients that were cut off because they did not read fast enough.
    pub slow_consumers: u64,
    /// Messages received from clients.
    pub in_msgs: u64,
    /// Messages sent to clients.
    pub out_msgs: u64,
    /// Resident memory of the server, in bytes.
    pub mem: u64,
}

impl Varz {
    pub(crate) async fn of(server: &EmbeddedServer) -> Self {
        super::read(server, "/varz").await
    }
}
