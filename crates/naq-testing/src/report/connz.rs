//! `/connz`: the open client connections of one server.

use naq_embedded::EmbeddedServer;
use serde::Deserialize;

/// The open client connections.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Connz {
    /// One entry per connection.
    pub connections: Vec<Connection>,
}

/// One open client connection, as the server sees it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Connection {
    /// The server's number of it; never used again while the server runs.
    pub cid: u64,
    /// What the client calls itself; empty if it gave no name.
    #[serde(default)]
    pub name: String,
    /// Subjects subscribed to.
    #[serde(default, rename = "subscriptions_list")]
    pub subjects: Vec<String>,
    /// Number of subscriptions.
    pub subscriptions: u64,
    /// Bytes that wait to be sent to the client.
    pub pending_bytes: u64,
    /// Messages received from the client.
    pub in_msgs: u64,
    /// Messages sent to the client.
    pub out_msgs: u64,
}

impl Connz {
    pub(crate) async fn of(server: &EmbeddedServer) -> Self {
        // The default is a page of 1024 connections without their subjects.
        super::read(server, "/connz?subs=1&limit=1000000").await
    }

    /// Number of open connections.
    pub fn count(&self) -> usize {
        self.connections.len()
    }

    /// Names of the open connections, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.connections.iter().map(|c| c.name.as_str()).collect();
        names.sort_unstable();
        names
    }

    /// The connections of this name.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Connection> {
        self.connections.iter().filter(move |c| c.name == name)
    }
}
