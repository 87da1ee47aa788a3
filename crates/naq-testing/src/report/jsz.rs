//! `/jsz`: the streams and consumers of one server.

use naq_embedded::EmbeddedServer;
use serde::Deserialize;

/// The streams of all accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jsz {
    /// One entry per stream, sorted by name.
    pub streams: Vec<Stream>,
}

/// One stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Name of the stream.
    pub name: String,
    /// Messages in it.
    pub messages: u64,
    /// Bytes in it.
    pub bytes: u64,
    /// Sequence of the last message ever stored.
    pub last_seq: u64,
    /// Its consumers. On a cluster, only those that this server leads.
    pub consumers: Vec<Consumer>,
}

/// One consumer of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Consumer {
    /// Name of the consumer.
    pub name: String,
    /// Messages that were never delivered.
    pub num_pending: u64,
    /// Messages delivered and not acknowledged.
    pub num_ack_pending: u64,
    /// Messages delivered more than once and not acknowledged.
    pub num_redelivered: u64,
    /// Pull requests that wait for messages.
    pub num_waiting: u64,
}

#[derive(Deserialize)]
struct Report {
    #[serde(default)]
    account_details: Vec<Account>,
}

#[derive(Deserialize)]
struct Account {
    #[serde(default)]
    stream_detail: Vec<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    name: String,
    state: State,
    #[serde(default)]
    consumer_detail: Vec<Consumer>,
}

#[derive(Deserialize)]
struct State {
    messages: u64,
    bytes: u64,
    last_seq: u64,
}

impl Jsz {
    pub(crate) async fn of(server: &EmbeddedServer) -> Self {
        let report: Report = super::read(server, "/jsz?accounts=1&streams=1&consumers=1").await;
        let details = report
            .account_details
            .into_iter()
            .flat_map(|a| a.stream_detail);
        let mut streams: Vec<Stream> = details.map(Stream::from).collect();
        streams.sort_by(|a, b| a.name.cmp(&b.name));
        Self { streams }
    }

    /// The stream of this name.
    pub fn stream(&self, name: &str) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.name == name)
    }

    /// Messages in the stream of this name; 0 if there is none.
    pub fn messages(&self, stream: &str) -> u64 {
        self.stream(stream).map_or(0, |stream| stream.messages)
    }
}

impl From<Detail> for Stream {
    fn from(detail: Detail) -> Self {
        Self {
            name: detail.name,
            messages: detail.state.messages,
            bytes: detail.state.bytes,
            last_seq: detail.state.last_seq,
            consumers: detail.consumer_detail,
        }
    }
}
