//! Looking after one client, from its dial to its end: one task.
//!
//! ```text
//!  in place ──► retired ─────────────────────────────► home ──► confirm, drain, close
//!                  │ drain_timeout, leases are out      ▲ last lease back
//!                  └──► moves to the valid plan ────────┘
//! ```

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::place::Slot;
use crate::dial::Backoff;
use crate::events::ReplaceReason;
use crate::link::Link;

/// Longest pause between two attempts to replace a client.
const PATIENCE: Duration = Duration::from_secs(2);

/// Time over which clients of one server leave it.
const SPREAD: Duration = Duration::from_millis(250);
/// An attempt to reconnect takes `connection_timeout` for each address of a server's name; one that
/// takes longer than this many hangs.
const ADDRESSES: u32 = 8;

impl Slot {
    pub(super) async fn tend(self: Arc<Self>, link: Arc<Link>, client: u64) {
        tokio::select! {
            biased;
            // Whoever stops the service closes what is there.
            () = self.context.stop.cancelled() => return self.orphan(),
            () = link.until_ended() => {}
            () = self.watch_over(&link) => {}
            () = self.accompany(&link) => {}
        }
        self.client_ended(client);
        self.gone(client);
    }

    async fn accompany(self: &Arc<Self>, link: &Link) {
        tokio::select! {
            biased;
            () = link.until_retired() => {}
            () = self.replace_when_due(link) => {}
        }
        self.see_off(link).await;
    }

    /// Ends with a replacement.
    async fn replace_when_due(self: &Arc<Self>, link: &Link) {
        if self.lane.is_none() {
            // One owner, who would stay on the old one.
            return pending().await;
        }
        let lifetime = self.lifetime();
        let mut life = pin!(async {
            match lifetime {
                Some(lifetime) => sleep(lifetime).await,
                None => pending().await,
            }
        });
        loop {
            let reason = tokio::select! {
                () = link.until_lame_duck() => ReplaceReason::LameDuck,
                () = link.until_crowded() => ReplaceReason::AbandonedRequests,
                () = &mut life => ReplaceReason::Lifetime,
            };
            let told_in = link.state();
            if reason == ReplaceReason::LameDuck {
                // All clients of the server are told at the same moment.
                sleep(SPREAD.mul_f64(fastrand::f64())).await;
            }
            let backoff = Backoff::new(PATIENCE);
            for step in 0.. {
                if self.replace(reason).await.is_ok() {
                    return link.until_retired().await;
                }
                if reason == ReplaceReason::LameDuck && link.state() != told_in {
                    // The server has closed it, and the client looks for another one by itself.
                    break;
                }
                sleep(backoff.pause(step)).await;
            }
        }
    }

    /// Shorter by up to a tenth, so that clients of one age do not all go at once.
    fn lifetime(&self) -> Option<Duration> {
        let plan = self.plan.as_ref().ok()?.load();
        let lifetime = plan.settings.max_lifetime?;
        Some(lifetime.mul_f64(1.0 - 0.1 * fastrand::f64()))
    }

    /// Ends when the client can't be helped any more.
    async fn watch_over(&self, link: &Link) {
        let Ok(plan) = self.plan.as_ref().map(|plan| plan.load_full()) else {
            return;
        };
        let settings = &plan.settings;
        let attempt = settings.connection_timeout * ADDRESSES + settings.reconnect_time_wait;
        link.until_stuck(settings.stall_timeout, attempt).await;
    }

    async fn see_off(&self, link: &Link) {
        let (Ok(plan), profile) = (&self.plan, self.meter().profile()) else {
            return;
        };
        let patience = plan.load().settings.drain_timeout;
        let in_time = timeout(patience, link.until_home()).await;
        // Of a profile that was removed there is no newer plan to go by.
        if in_time.is_err() && !self.lock().machine.is_refusing() {
            tracing::info!(
                profile,
                "leases are still on a replaced connection: it moves"
            );
            let mut servers = plan.load().addrs();
            if let Some(current) = self.current() {
                // Those of the settings may be the ones that are gone.
                servers.extend(current.discovered());
            }
            link.move_to(servers).await;
        }
        link.until_home().await;
        let closing = link.close(Instant::now() + patience).await;
        let (ended, unconfirmed) = (closing.ended, closing.unconfirmed);
        tracing::debug!(
            profile,
            ended,
            unconfirmed,
            "a replaced connection is closed"
        );
    }
}
