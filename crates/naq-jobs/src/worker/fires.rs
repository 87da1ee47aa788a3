//! Firings of recurring schedules, seen from a worker.

use std::time::Duration;

use async_nats::Message;
use naq_connection::Connection;
use tokio_util::sync::CancellationToken;

use super::errands::{Errand, ErrandLoop};
use crate::JobsError;
use crate::schedule::{Beats, Fired, fire, place_all_gone, turn_of};
use crate::server::{Link, ensure_fires_consumer};
use crate::wire::Names;

/// Takes firings, and makes their jobs.
#[derive(Debug)]
pub(super) struct Fires(pub(super) Beats);

/// Handles firings until the worker stops, places the timers that are gone at its start, and sees to it that nothing of it goes on then.
pub(super) async fn run(link: Link, stopping: CancellationToken) -> Result<(), JobsError> {
    let beats = Beats::new(link.clone(), stopping.clone());
    let placing = stopping.run_until_cancelled(place_all_gone(&link));
    let errands = ErrandLoop::new(Fires(beats.clone()), link.clone(), stopping.clone());
    let (ran, _) = tokio::join!(errands.run(), placing);
    beats.ended().await;
    ran
}

impl Errand for Fires {
    type Item = Fired;

    const WHAT: &'static str = "schedules";
    const CONSUMER: &'static str = Names::FIRES_CONSUMER;
    // With a job each they fit into one batch of the server's.
    const BATCH: u32 = 300;
    // They cost the server little together.
    const GATHER: Duration = Duration::from_millis(5);

    async fn ensure(&self, conn: &Connection, link: &Link) -> Result<Duration, JobsError> {
        ensure_fires_consumer(conn, link).await
    }

    /// Without a turn of ours it has turn 0, which is always stale.
    fn read(message: &Message) -> Option<Fired> {
        Some(Fired {
            name: Names::parse_schedule(&message.subject)?,
            turn: turn_of(message.headers.as_ref()).unwrap_or(0),
            reply: message.reply.as_ref()?.to_string(),
        })
    }

    async fn handle(&self, link: &Link, conn: &Connection, items: Vec<Fired>) {
        match fire(link, conn, &self.0, items).await {
            Ok(jobs) => tracing::debug!(jobs, "schedules fired"),
            Err(error) => tracing::warn!(%error, "firings will be delivered again"),
        }
    }
}
