//! Tries a step on the server until it is decided, or its time is up.

use std::time::Duration;

use naq_connection::{Connection, Event, EventKind, Events};
use tokio::time::Instant;

use super::{Link, repair_streams};
use crate::{JobsError, JobsErrorKind};

/// Waits between two tries: the first, and the longest; the waits have jitter.
const PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// Longest waits for an answer in the first tries: a request that falls into an election is never answered, and the next one may be.
const ANSWERS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];

/// Patience at the start of a program with servers that are there and have no leader: an election takes up to 9 s, and the next
/// node may go right after it.
const ELECTIONS: Duration = Duration::from_secs(30);

/// As [`persist`], for what a program does at its start: it ends at once if no server is there or the server refuses its API to
/// this user, and has the patience of an election with one that is.
pub(crate) async fn prepare<T, Fut>(
    link: &Link,
    context: &str,
    step: impl Fn(Connection) -> Fut,
) -> Result<T, JobsError>
where
    Fut: Future<Output = Result<T, JobsError>>,
{
    let events = link.service().events();
    drop(link.lease(context).await?);
    let patience = ELECTIONS.max(link.settings().nats.request_timeout * 3);
    tokio::select! {
        done = tried(link, context, Instant::now() + patience, &[], step) => done,
        text = refusal(events) => {
            let context = format!("{context}: the server does not allow it to this user: {text}");
            Err(JobsError::new(JobsErrorKind::Server, context))
        }
    }
}

/// The server's words when it refuses a call of its API for want of a permission; the call itself just has no answer.
async fn refusal(mut events: Events) -> String {
    while let Some(event) = events.next().await {
        if let Ok(Event {
            kind: EventKind::ServerError { text },
            ..
        }) = event
        {
            let lower = text.to_ascii_lowercase();
            if lower.contains("permissions violation") && lower.contains("$js.api.") {
                return text;
            }
        }
    }
    std::future::pending().await
}

/// Runs `step` with a lease, again after each transient error, until `deadline`. The step must be one that may run
/// twice: it has a message id, a fence, or changes nothing.
///
/// Streams that have vanished are made again on the way.
pub(crate) async fn persist<T, Fut>(
    link: &Link,
    context: &str,
    deadline: Instant,
    step: impl Fn(Connection) -> Fut,
) -> Result<T, JobsError>
where
    Fut: Future<Output = Result<T, JobsError>>,
{
    tried(link, context, deadline, &ANSWERS, step).await
}

/// `answers`: how long the first tries wait for an answer, if that is shorter than what is set.
async fn tried<T, Fut>(
    link: &Link,
    context: &str,
    deadline: Instant,
    answers: &[Duration],
    step: impl Fn(Connection) -> Fut,
) -> Result<T, JobsError>
where
    Fut: Future<Output = Result<T, JobsError>>,
{
    let (mut pause, mut answers) = (PAUSE.0, answers.iter());
    loop {
        let result = match (link.lease(context).await, answers.next()) {
            (Ok(conn), Some(&answer)) => step(hurried(conn, answer)).await,
            (Ok(conn), None) => step(conn).await,
            (Err(error), _) => Err(error),
        };
        let error = match result {
            Err(error) if error.is_transient() => error,
            decided => return decided,
        };
        let wait = pause.mul_f64(0.5 + fastrand::f64() / 2.0);
        if Instant::now() + wait > deadline {
            return Err(error);
        }
        tracing::debug!(context, %error, "tried again");
        if error.kind() == JobsErrorKind::Unavailable {
            // Should that fail, the step fails again and says why.
            drop(Box::pin(repair_streams(link)).await);
        }
        tokio::time::sleep(wait).await;
        pause = (pause * 2).min(PAUSE.1);
    }
}

/// The connection, waiting no longer than `answer` for each answer.
pub(crate) fn hurried(conn: Connection, answer: Duration) -> Connection {
    let limit = conn.request_timeout().min(answer);
    conn.with_request_timeout(limit)
}
