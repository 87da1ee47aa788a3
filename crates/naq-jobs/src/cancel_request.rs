//! Describes a cancel; awaiting it does it, also to a node of a workflow that has no job yet.

use std::time::Duration;

use futures::future::BoxFuture;

use crate::cancel::{CancelReport, CancelledFrom, cancel};
use crate::model::JobId;
use crate::server::Link;
use crate::wire::CancelNotice;
use crate::workflow::cancel_open_node;
use crate::{JobsError, JobsErrorKind};

/// Time that a running handler gets to end by itself, unless the caller says otherwise.
const GRACE: Duration = Duration::from_secs(5);

/// A cancel that is not sent yet; `.await` sends it.
#[derive(Debug, Clone)]
#[must_use = "nothing is cancelled before this is awaited"]
pub struct CancelRequest {
    link: Link,
    id: JobId,
    notice: CancelNotice,
}

impl CancelRequest {
    pub(crate) fn new(link: Link, id: JobId) -> Self {
        let notice = CancelNotice::new("cancelled", GRACE);
        Self { link, id, notice }
    }

    /// Why: in the job's outcome, and for its handler. Default: `cancelled`.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.notice.reason = reason.into();
        self
    }

    /// Time that a running handler gets to end by itself before its future is dropped; default 5 s, whole milliseconds.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.notice = CancelNotice::new(std::mem::take(&mut self.notice.reason), grace);
        self
    }
}

impl IntoFuture for CancelRequest {
    type Output = Result<CancelReport, JobsError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { run(&self.link, self.id, &self.notice).await })
    }
}

async fn run(link: &Link, id: JobId, notice: &CancelNotice) -> Result<CancelReport, JobsError> {
    let missing = match cancel(link, &id, notice).await {
        Err(error) if error.kind() == JobsErrorKind::NotFound => error,
        done => return done,
    };
    let Some((workflow, node)) = Box::pin(cancel_open_node(link, &id, &notice.reason)).await?
    else {
        return Err(missing);
    };
    // Its job may have been stored in between: then it is there now, beside its outcome.
    cancel(link, &id, notice).await?;
    let from = CancelledFrom::Node { workflow, node };
    Ok(CancelReport { id, from })
}
