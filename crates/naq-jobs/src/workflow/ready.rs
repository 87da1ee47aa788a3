//! What has to be so before nodes are stored.

use std::collections::BTreeSet;

use super::graph::{Node, Work};
use super::resolve::invalid;
use crate::control::use_level;
use crate::model::{JobId, Priority, QueueName};
use crate::server::{Link, last_at_leader, page};
use crate::{JobsError, JobsErrorKind};

/// Refuses jobs outside of which nothing is known: nobody would ever say that they have ended. Makes workers take the
/// priorities that are used.
pub(super) async fn ready(link: &Link, nodes: &[Node]) -> Result<(), JobsError> {
    let mut levels = BTreeSet::new();
    for node in nodes {
        match &node.work {
            Work::Existing { id } => check_existing(link, id).await?,
            Work::Job(job) if job.priority != Priority::Normal => {
                levels.insert((job.queue.as_str(), job.priority));
            }
            _ => {}
        }
    }
    for (queue, priority) in levels {
        let queue =
            QueueName::new(queue).map_err(|e| invalid("use a queue".to_owned()).because(e))?;
        Box::pin(use_level(link, &queue, priority)).await?;
    }
    Ok(())
}

async fn check_existing(link: &Link, id: &str) -> Result<(), JobsError> {
    let id = JobId::new(id).map_err(|e| invalid("wait for a job".to_owned()).because(e))?;
    if is_known(link, &id).await? {
        return Ok(());
    }
    let context = format!("wait for the job {id}: there is none, or its outcome has expired");
    Err(JobsError::new(JobsErrorKind::NotFound, context))
}

/// Whether a job or a workflow of this id has ended.
pub(super) async fn has_outcome(link: &Link, id: &JobId) -> Result<bool, JobsError> {
    let conn = link.lease("look for an outcome").await?;
    let (results, subject) = (link.names().results_stream(), link.names().result(id));
    Ok(last_at_leader(&conn, &results, &subject).await?.is_some())
}

async fn is_known(link: &Link, id: &JobId) -> Result<bool, JobsError> {
    if has_outcome(link, id).await? {
        return Ok(true);
    }
    let (conn, names) = (link.lease("look for a job").await?, link.names());
    for filter in names.anywhere(id) {
        let found = page(&conn, &names.jobs_stream(), &filter, 0, 1).await?;
        if !found.messages.is_empty() {
            return Ok(true);
        }
    }
    // It may have ended in between.
    has_outcome(link, id).await
}
