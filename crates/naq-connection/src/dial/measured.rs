//! A dial that is counted, timed and traced.

use std::sync::Arc;

use tracing::field::Empty;
use tracing::{Instrument, info_span};

use super::attempt;
use super::plan::Plan;
use crate::error::{ConnectionError, ConnectionErrorKind};
use crate::link::{Link, Report};
use crate::monitor::{Activity, Meter};

/// As [`attempt::dial`]; the numbers go to `meter`, and to that of the client's whole life.
pub(crate) async fn dial(
    meter: &Arc<Meter>,
    plan: &Arc<Plan>,
    report: Report,
) -> Result<Arc<Link>, ConnectionError> {
    let activity = Activity::start(info_span!(
        "dial",
        profile = meter.profile(),
        lane = meter.lane(),
        outcome = Empty,
        duration = Empty,
    ));
    let span = activity.span().clone();
    let outcome = attempt::dial(meter, plan, report).instrument(span).await;
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
