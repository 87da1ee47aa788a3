//! What happens to the connections of this process, as events.

use naq_connection::{Event, EventKind, Missed};

use crate::events::{EventType, Fact, Pipe};

/// Tells what a connection has told, if it is worth it.
pub(super) fn tell_connection(pipe: &Pipe, event: Result<Event, Missed>) {
    let Ok(event) = event else {
        return;
    };
    let (event_type, message) = match &event.kind {
        EventKind::Connected => (EventType::ConnectionUp, "connected".to_owned()),
        EventKind::Reconnected { down_for } => (
            EventType::ConnectionUp,
            format!("restored after {} ms", down_for.as_millis()),
        ),
        EventKind::Disconnected => (EventType::ConnectionDown, "lost".to_owned()),
        EventKind::Stalled => (EventType::ConnectionDown, "nothing came in".to_owned()),
        EventKind::GaveUp { attempts } => (
            EventType::ConnectionDown,
            format!("given up after {attempts} attempts"),
        ),
        EventKind::Replaced { reason } => (EventType::ConnectionReplaced, reason.to_string()),
        _ => return,
    };
    let mut fact = Fact::now(event_type);
    fact.message = Some(&message);
    fact.details = Some(serde_json::json!({
        "profile": &*event.profile,
        "lane": event.lane.to_string(),
        "pid": std::process::id(),
    }));
    pipe.tell(&fact);
}
