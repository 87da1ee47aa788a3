//! The way of a link from giving leases to its end.

use std::sync::atomic::Ordering;

use async_nats::ServerAddr;
use tokio::time::{Instant, timeout_at};

use super::client::Link;

/// Requests whose caller did not wait for the reply, after which a client is to be replaced: it
/// keeps 300 to 400 B for each until it ends (`Multiplexer::senders` in its `lib.rs`: the channel of
/// the reply, its key, its place in the map), so that this many are 4 MB at most.
const CROWDED: u64 = 10_000;

impl Link {
    /// It gives no leases any more.
    pub(crate) fn retire(&self) {
        self.retired.cancel();
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.retired.is_cancelled()
    }

    pub(crate) async fn until_retired(&self) {
        self.retired.cancelled().await;
    }

    /// Waits until it gives no leases any more and all have come back.
    pub(crate) async fn until_home(&self) {
        self.home.cancelled().await;
    }

    pub(crate) async fn until_ended(&self) {
        self.feed.until_ended().await;
    }

    pub(crate) async fn until_lame_duck(&self) {
        self.feed.until_lame_duck().await;
    }

    /// A request goes out: unless its reply comes, it counts as abandoned.
    pub(crate) fn await_reply(&self) -> Awaited<'_> {
        self.touch();
        Awaited(Some(self))
    }

    pub(crate) async fn until_crowded(&self) {
        self.crowded.notified().await;
    }

    /// Servers of the cluster, as the server told at the last connect. The client's own list would
    /// also hold all that ever were.
    pub(crate) fn discovered(&self) -> Vec<ServerAddr> {
        let info = self.client.server_info();
        let urls = info.connect_urls.iter();
        urls.filter_map(|url| url.parse().ok()).collect()
    }

    /// Reconnects to one of `servers`, with the credentials that are valid now, and takes the
    /// subscriptions along. Confirms first, since what is not yet sent is lost.
    pub(crate) async fn move_to(&self, servers: Vec<ServerAddr>) {
        let deadline = Instant::now() + self.flush_timeout;
        if self.is_up() {
            let _confirmed = timeout_at(deadline, self.confirm()).await;
        }
        let deadline = Instant::now() + self.flush_timeout;
        let _known = timeout_at(deadline, self.client.set_server_pool(servers)).await;
        let _asked = timeout_at(deadline, self.client.force_reconnect()).await;
    }
}

/// A reply that is waited for.
pub(crate) struct Awaited<'a>(Option<&'a Link>);

impl Awaited<'_> {
    pub(crate) fn came(mut self) {
        self.0 = None;
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        let Some(link) = self.0 else { return };
        link.meter().request_abandoned();
        if link.abandoned.fetch_add(1, Ordering::Relaxed) + 1 == CROWDED {
            link.crowded.notify_one();
        }
    }
}
