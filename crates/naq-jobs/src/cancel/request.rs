//! Describes a cancel; awaiting it does it.

use std::time::Duration;

use futures::future::BoxFuture;

use super::report::CancelReport;
use super::steps;
use crate::JobsError;
use crate::model::JobId;
use crate::server::Link;
use crate::wire::CancelNotice;

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
        Box::pin(async move { steps::cancel(&self.link, self.id, &self.notice).await })
    }
}
