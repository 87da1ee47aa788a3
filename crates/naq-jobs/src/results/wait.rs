//! Waits for an outcome by push: listen, then look, then listen; look again after each reconnect.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use naq_connection::Connection;

use super::parse;
use crate::model::JobId;
use crate::payload::fetch_result;
use crate::server::{Link, last_at_leader, last_of, repair_streams};
use crate::wire::Outcome;
use crate::{JobsError, JobsErrorKind};

/// Wait before trying again while the server cannot be reached.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn wait(link: &Link, id: &JobId, within: Duration) -> Result<Outcome, JobsError> {
    match tokio::time::timeout(within, listen(link, id)).await {
        Ok(result) => fetch_result(link, result?).await,
        Err(_) => Err(JobsError::new(
            JobsErrorKind::Timeout,
            format!("see the end of job {id} within {within:?}"),
        )),
    }
}

async fn listen(link: &Link, id: &JobId) -> Result<Outcome, JobsError> {
    loop {
        let round = async {
            let conn = link.lease("wait for an outcome").await?;
            over_one_epoch(link, &conn, id).await
        };
        match round.await {
            Ok(Some(outcome)) => return Ok(outcome),
            Ok(None) => {}
            Err(error) if error.is_transient() => {
                if error.kind() == JobsErrorKind::Unavailable {
                    drop(repair_streams(link).await);
                }
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// The outcome, or `None` when the connection was lost: what was sent meanwhile did not reach us.
async fn over_one_epoch(
    link: &Link,
    conn: &Connection,
    id: &JobId,
) -> Result<Option<Outcome>, JobsError> {
    let mut states = conn.states();
    let epoch = states.borrow_and_update().epoch;
    let subject = link.names().result(id);
    let mut pushed = conn
        .subscribe(subject.clone())
        .await
        .map_err(|e| JobsError::connection("wait for an outcome", e))?;
    if let Some(found) = last_of(conn, &link.names().results_stream(), &subject).await? {
        return parse(&subject, &found.payload).map(Some);
    }
    // The server routes a publish to its subscribers first and stores it later, so what was published just before we
    // subscribed may be neither pushed nor stored yet. What is acknowledged after it comes after it.
    let written = conn
        .publish_acked(link.names().barrier(), HeaderMap::new(), Bytes::new())
        .await;
    written.map_err(|e| JobsError::connection("wait for an outcome", e))?;
    let stream = link.names().results_stream();
    if let Some(found) = last_at_leader(conn, &stream, &subject).await? {
        return parse(&subject, &found.payload).map(Some);
    }
    loop {
        tokio::select! {
            message = pushed.next() => {
                return match message {
                    Some(message) => parse(&subject, &message.payload).map(Some),
                    None => Ok(None),
                };
            }
            changed = states.changed() => {
                let state = *states.borrow_and_update();
                if changed.is_err() || state.epoch != epoch || !state.is_connected() {
                    return Ok(None);
                }
            }
        }
    }
}
