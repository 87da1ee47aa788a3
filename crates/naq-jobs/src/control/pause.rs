//! The pause of a queue at the server: what the setting says, the consumers do.

use naq_connection::Connection;

use super::{QueueSetting, Versioned, read_queue};
use crate::JobsError;
use crate::model::{Priority, QueueName};
use crate::server::{Link, Terms, pause_consumer};

/// Settings that may come in between before the last one is left to whoever wrote it.
const MAX_TURNS: usize = 10;

/// Jobs of each priority that the server gives out beyond the limit of a queue with several priorities, if the limit is not
/// lower: they wait in line, so that a place that becomes free is not taken by a lower priority while the next job of its own
/// is on its way.
const RESERVE: u32 = 32;

/// What the consumers of a queue get from its setting and the configuration.
pub(crate) fn terms(link: &Link, queue: &QueueName, setting: &QueueSetting) -> Terms {
    let configured = link.settings().queues.max_ack_pending_of(queue.as_str());
    let most = match setting.max_running {
        Some(limit @ 1..) if setting.levels.is_empty() => limit,
        Some(limit @ 1..) => limit.saturating_add(limit.min(RESERVE)),
        _ => configured,
    };
    Terms {
        max_ack_pending: configured.min(most),
        is_paused: setting.paused.is_some(),
    }
}

/// Pauses or resumes the consumers of `queue` as `setting` says; then looks whether that is still the setting.
///
/// Pausing and the setting are two messages, so somebody else's may come in between: the last setting wins.
pub(crate) async fn apply_pause(
    conn: &Connection,
    link: &Link,
    queue: &QueueName,
    mut setting: Versioned<QueueSetting>,
) -> Result<Versioned<QueueSetting>, JobsError> {
    for _ in 0..MAX_TURNS {
        let is_paused = setting.value.paused.is_some();
        for priority in levels(&setting.value) {
            pause_consumer(conn, link, (queue, priority), is_paused).await?;
        }
        let now = read_queue(conn, link, queue).await?;
        if now.sequence == setting.sequence {
            break;
        }
        setting = now;
    }
    Ok(setting)
}

/// The priorities that have a consumer, the first one first.
fn levels(setting: &QueueSetting) -> impl Iterator<Item = Priority> {
    let is_there = |p: &Priority| *p == Priority::Normal || setting.levels.contains(p);
    Priority::ALL.into_iter().filter(is_there)
}
