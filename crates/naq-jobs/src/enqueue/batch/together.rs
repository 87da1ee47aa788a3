//! Stores some jobs together, and finds out which of them was there already.

use std::collections::HashMap;

use naq_connection::Connection;

use crate::JobsError;
use crate::enqueue::prepared::Prepared;
use crate::server::{Link, Write, last_at_leader};

/// Two jobs of one list with the same id, or the same key: their places in the list.
pub(super) fn twins<'a>(
    link: &Link,
    jobs: impl IntoIterator<Item = &'a Prepared>,
) -> Option<(usize, usize)> {
    let mut seen = HashMap::new();
    for (index, job) in jobs.into_iter().enumerate() {
        let key = job.unique.as_ref().map(|plan| plan.filter(link));
        for name in [Some(job.id.to_string()), key].into_iter().flatten() {
            if let Some(first) = seen.insert(name, index) {
                return Some((first, index));
            }
        }
    }
    None
}

/// The messages of jobs that may be stored only if their keys are free.
pub(super) fn writes<'a>(link: &Link, jobs: impl IntoIterator<Item = &'a Prepared>) -> Vec<Write> {
    let each = |job: &'a Prepared| job.writes(link, 0);
    jobs.into_iter().flat_map(each).collect()
}

/// Whether the job waits, runs, is due later, or has an outcome; of a unique one, whether its key is taken.
pub(super) async fn is_there(
    link: &Link,
    conn: &Connection,
    job: &Prepared,
) -> Result<bool, JobsError> {
    let (names, stream) = (link.names(), link.names().jobs_stream());
    let places = match &job.unique {
        Some(plan) => vec![plan.filter(link)],
        None => vec![job.subject.clone(), job.target().to_owned()],
    };
    for place in places {
        if last_at_leader(conn, &stream, &place).await?.is_some() {
            return Ok(true);
        }
    }
    let outcome = names.result(&job.id);
    let found = last_at_leader(conn, &names.results_stream(), &outcome).await?;
    Ok(found.is_some())
}
