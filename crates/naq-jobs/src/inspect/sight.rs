//! All that is stored of one job, read in the order in which a job moves.

use naq_connection::Connection;

use crate::JobsError;
use crate::dead::DeadLetter;
use crate::model::JobId;
use crate::results::parse;
use crate::server::{Link, Stored, last_at_leader, last_of, last_of_each, page};
use crate::wire::{Outcome, Spot};

/// Messages of one job that are read; there are two at the most, for a moment.
const MOST: usize = 16;

/// A message of the job.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) spot: Spot,
    pub(crate) stored: Stored,
}

/// All that is stored of a job.
#[derive(Debug, Default)]
pub(crate) struct Sight {
    pub(crate) messages: Vec<Found>,
    /// The outcome, and its sequence.
    pub(crate) outcome: Option<(Outcome, u64)>,
    pub(crate) letter: Option<DeadLetter>,
}

impl Sight {
    fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.outcome.is_none() && self.letter.is_none()
    }
}

/// Looks for the job.
///
/// Its outcome is written before its message goes, so it cannot slip through from one read to the next, but for the
/// way back from the dead letters and for a replica that lags: who sees nothing looks once more, at the leader.
pub(crate) async fn look(conn: &Connection, link: &Link, id: &JobId) -> Result<Sight, JobsError> {
    let sight = once(conn, link, id).await?;
    if !sight.is_empty() {
        return Ok(sight);
    }
    let names = link.names();
    let (stream, subject) = (names.results_stream(), names.result(id));
    if let Some(stored) = last_at_leader(conn, &stream, &subject).await? {
        return Ok(Sight {
            outcome: Some((parse(&subject, &stored.payload)?, stored.sequence)),
            ..sight
        });
    }
    once(conn, link, id).await
}

async fn once(conn: &Connection, link: &Link, id: &JobId) -> Result<Sight, JobsError> {
    let names = link.names();
    let found = last_of_each(conn, &names.jobs_stream(), &names.anywhere(id), MOST).await?;
    let messages = found.into_iter().filter_map(|stored| {
        let spot = Spot::read(names, &stored.subject)?;
        Some(Found { spot, stored })
    });
    let messages = messages.collect();
    let subject = names.result(id);
    let outcome = last_of(conn, &names.results_stream(), &subject).await?;
    let outcome = outcome
        .map(|stored| parse(&subject, &stored.payload).map(|outcome| (outcome, stored.sequence)))
        .transpose()?;
    let letter = page(conn, &names.dead_stream(), &names.dead_of(id), 0, 1).await?;
    Ok(Sight {
        messages,
        outcome,
        letter: letter.messages.into_iter().find_map(DeadLetter::read),
    })
}
