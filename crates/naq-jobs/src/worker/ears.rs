//! Hears that jobs have ended for which workflows wait, and tells those.

use async_nats::Message;
use naq_connection::Phase;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::JobsError;
use crate::flow_end::tell_end;
use crate::server::Link;
use crate::wire::{FlowNode, Names, Status, headers, text};

/// Wait before the subscription is made again.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(500);

/// Listens until the worker stops. What is lost on the way is sent again by the server.
pub(super) async fn listen(link: Link, stopping: CancellationToken) -> Result<(), JobsError> {
    loop {
        tokio::select! {
            () = stopping.cancelled() => return Ok(()),
            heard = over_one_epoch(&link) => match heard {
                // Should the connection be lost for good, the queues say so.
                Ok(is_last) if is_last => return Ok(()),
                Ok(_) => {}
                Err(error) if error.is_transient() => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(error),
            },
        }
    }
}

/// Listens over one connection epoch; whether it was the last one.
async fn over_one_epoch(link: &Link) -> Result<bool, JobsError> {
    let context = "listen to the ends of jobs";
    let conn = link.lease(context).await?;
    let mut states = conn.states();
    let epoch = states.borrow_and_update().epoch;
    let heard = conn.subscribe(link.names().flow_ears()).await;
    let mut heard = heard.map_err(|e| JobsError::connection(context, e))?;
    loop {
        tokio::select! {
            message = heard.next() => match message {
                Some(message) => tell(link, &message).await,
                None => return Ok(false),
            },
            changed = states.changed() => {
                let state = *states.borrow_and_update();
                if matches!(state.phase, Phase::Failed { .. }) {
                    return Ok(true);
                }
                if changed.is_err() || state.epoch != epoch || !state.is_connected() {
                    return Ok(false);
                }
            }
        }
    }
}

async fn tell(link: &Link, message: &Message) {
    let ear = message.reply.as_deref().and_then(Names::parse_ear);
    let status = match text(message.headers.as_ref(), headers::STATUS) {
        Some("completed") => Some(Status::Completed),
        Some("failed") => Some(Status::Failed),
        Some("cancelled") => Some(Status::Cancelled),
        _ => None,
    };
    let (Some((id, node)), Some(status)) = (ear, status) else {
        tracing::warn!(subject = %message.subject, "an ear has heard what says nothing");
        return;
    };
    let flow = FlowNode {
        id: id.to_owned(),
        node,
        round: 0,
    };
    let deadline = Instant::now() + link.settings().nats.request_timeout;
    if let Err(error) = tell_end(link, &flow, status, deadline).await {
        tracing::warn!(workflow = id, %error, "the end of a job outside will be heard again");
    }
}
