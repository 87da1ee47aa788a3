//! A dial that is counted, timed and traced.

use std::sync::Arc;

use tracing::field::Empty;
use tracing::{Instrument, info_span};

use super::attempt::{self, Dialling};
use crate::error::{ConnectionError, ConnectionErrorKind};
use crate::link::{Link, Report};
use crate::monitor::Activity;

/// As [`attempt::dial`]; the numbers go to its meter, and to that of the client's whole life.
pub(crate) async fn dial(to: &Dialling, report: Report) -> Result<Arc<Link>, ConnectionError> {
    let meter = &to.meter;
    let activity = Activity::start(info_span!(
        "dial",
        profile = meter.profile(),
        lane = meter.lane(),
        outcome = Empty,
        duration = Empty,
    ));
    let span = activity.span().clone();
    let outcome = attempt::dial(to, report).instrument(span).await;
    match &outcome {
        Ok(_) => {
            meter.dialled(activity.elapsed());
            activity.end("ok");
        }
        Err(error) => {
            meter.dial_failed();
            activity.end(match error.kind() {
                ConnectionErrorKind::AuthFailed => "refused",
                ConnectionErrorKind::ConnectTimedOut => "timed out",
                _ => "error",
            });
        }
    }
    outcome
}
