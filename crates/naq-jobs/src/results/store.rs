//! The outcomes of all jobs.

use std::time::Duration;

use super::filter::{ResultFilter, delete_all, search};
use crate::JobsError;
use crate::model::JobId;
use crate::payload::fetch_result;
use crate::server::{Link, Stored, last_of, page, purge};
use crate::wire::Outcome;

/// The outcomes of all jobs. A cheap handle.
#[derive(Debug, Clone)]
pub struct Results {
    link: Link,
}

/// Some outcomes, and where to go on.
#[derive(Debug)]
pub struct ResultPage {
    /// The outcomes, oldest first.
    pub outcomes: Vec<Outcome>,
    /// Pass it to [`Results::list`] for the next page; `None` at the end.
    pub next: Option<u64>,
}

impl Results {
    pub(crate) fn new(link: Link) -> Self {
        Self { link }
    }

    /// The outcome of a job; `None` if it has not ended, has expired, or never was.
    ///
    /// # Errors
    /// [`crate::JobsErrorKind::Connection`] (a retry helps), [`crate::JobsErrorKind::Corrupt`];
    /// [`crate::JobsErrorKind::NotFound`] if the result was too large for the record and has gone.
    pub async fn find(&self, id: &JobId) -> Result<Option<Outcome>, JobsError> {
        let conn = self.link.lease("read an outcome").await?;
        let names = self.link.names();
        let found = last_of(&conn, &names.results_stream(), &names.result(id)).await?;
        match found.map(|stored| read(&stored)).transpose()? {
            Some(outcome) => fetch_result(&self.link, outcome).await.map(Some),
            None => Ok(None),
        }
    }

    /// Waits until the job has ended, by push, at most `within`; goes on over reconnects.
    ///
    /// # Errors
    /// [`crate::JobsErrorKind::Timeout`] (a retry helps), [`crate::JobsErrorKind::Corrupt`].
    ///
    /// # Cancel safety
    /// Safe to drop and call again.
    pub async fn wait(&self, id: &JobId, within: Duration) -> Result<Outcome, JobsError> {
        super::wait::wait(&self.link, id, within).await
    }

    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// At most `limit` outcomes (at most 1000), from `from` on: 0, or what the last page said.
    ///
    /// # Errors
    /// [`crate::JobsErrorKind::Connection`] (a retry helps). A record that is unreadable is left out, with a warning.
    pub async fn list(&self, from: u64, limit: usize) -> Result<ResultPage, JobsError> {
        let conn = self.link.lease("list outcomes").await?;
        let (names, limit) = (self.link.names(), limit.clamp(1, 1000));
        let found = page(
            &conn,
            &names.results_stream(),
            &names.result_filter(),
            from,
            limit,
        )
        .await?;
        let outcomes = found.messages.iter().filter_map(readable).collect();
        Ok(ResultPage {
            outcomes,
            next: found.next,
        })
    }

    /// As [`Self::list`], only those that fit. What does not fit is read and left out; ages are found by the server.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub async fn search(
        &self,
        filter: &ResultFilter,
        from: u64,
        limit: usize,
    ) -> Result<ResultPage, JobsError> {
        search(&self.link, filter, from, limit.clamp(1, 1000)).await
    }

    /// Removes the outcomes that fit, or only counts them; says how many. One request, if nothing but a lowest
    /// age is set.
    ///
    /// # Errors
    /// [`crate::JobsErrorKind::Connection`]: some may be gone; call it again.
    pub async fn delete_all(
        &self,
        filter: &ResultFilter,
        is_dry_run: bool,
    ) -> Result<u64, JobsError> {
        delete_all(&self.link, filter, is_dry_run).await
    }

    /// Removes the outcome of a job; `false` if there was none, which is no error.
    ///
    /// # Errors
    /// [`crate::JobsErrorKind::Connection`] (a retry helps).
    pub async fn delete(&self, id: &JobId) -> Result<bool, JobsError> {
        let conn = self.link.lease("remove an outcome").await?;
        let names = self.link.names();
        Ok(purge(&conn, &names.results_stream(), &names.result(id)).await? > 0)
    }

    /// Removes all outcomes in one request; says how many there were.
    ///
    /// # Errors
    /// [`crate::JobsErrorKind::Connection`] (a retry helps).
    pub async fn purge(&self) -> Result<u64, JobsError> {
        let conn = self.link.lease("remove all outcomes").await?;
        let names = self.link.names();
        purge(&conn, &names.results_stream(), &names.result_filter()).await
    }
}

fn read(stored: &Stored) -> Result<Outcome, JobsError> {
    super::parse(&stored.subject, &stored.payload)
}

pub(super) fn readable(stored: &Stored) -> Option<Outcome> {
    read(stored)
        .inspect_err(|error| tracing::warn!(%error, "left out of the list"))
        .ok()
}
