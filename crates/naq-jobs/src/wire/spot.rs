//! What a subject of the stream of jobs says: which job, of which queue, and what it waits for.

use super::names::Names;
use crate::model::{JobId, Priority, QueueName};

/// What a job waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// A worker, with this priority; or one has it.
    Queue(Priority),
    /// Its time.
    Later,
    /// To be released; with the reason.
    Parked(String),
}

/// Whose message it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) queue: QueueName,
    pub(crate) id: JobId,
    pub(crate) stage: Stage,
}

impl Spot {
    /// Reads a subject; `None` if it holds no job.
    pub(crate) fn read(names: &Names, subject: &str) -> Option<Self> {
        let parts: Vec<&str> = names.below(subject)?.split('.').collect();
        let (stage, queue, id) = match parts[..] {
            ["queue", queue, id] => (Stage::Queue(Priority::Normal), queue, id),
            ["high", queue, id] => (Stage::Queue(Priority::High), queue, id),
            ["low", queue, id] => (Stage::Queue(Priority::Low), queue, id),
            ["schedule", queue, id] => (Stage::Later, queue, id),
            ["parked", queue, why, id] => (Stage::Parked(why.to_owned()), queue, id),
            ["unique", queue, place, _, id] => (unique(place)?, queue, id),
            _ => return None,
        };
        Some(Self {
            queue: QueueName::new(queue).ok()?,
            id: JobId::new(id).ok()?,
            stage,
        })
    }
}

/// The places of a unique job; the marker of a window is none.
fn unique(place: &str) -> Option<Stage> {
    Some(match place {
        "high" => Stage::Queue(Priority::High),
        "normal" => Stage::Queue(Priority::Normal),
        "low" => Stage::Queue(Priority::Low),
        "later" => Stage::Later,
        _ => return None,
    })
}

/// The filters of the jobs of one queue, or of all (`*`), that wait for a worker or run.
pub(crate) fn queue_patterns(queue: &str) -> [String; 6] {
    [
        format!("queue.{queue}.*"),
        format!("high.{queue}.*"),
        format!("low.{queue}.*"),
        format!("unique.{queue}.normal.*.*"),
        format!("unique.{queue}.high.*.*"),
        format!("unique.{queue}.low.*.*"),
    ]
}

/// The filters of the jobs that are due later.
pub(crate) fn later_patterns(queue: &str) -> [String; 2] {
    [
        format!("schedule.{queue}.*"),
        format!("unique.{queue}.later.*.*"),
    ]
}

/// The filter of the parked jobs.
pub(crate) fn parked_pattern(queue: &str) -> String {
    format!("parked.{queue}.*.*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_subject_of_the_map_is_read() {
        let names = Names::new("n");
        for (subject, place) in [
            ("n.queue.q.j", Some(Stage::Queue(Priority::Normal))),
            ("n.high.q.j", Some(Stage::Queue(Priority::High))),
            ("n.low.q.j", Some(Stage::Queue(Priority::Low))),
            ("n.schedule.q.j", Some(Stage::Later)),
            ("n.parked.q.key-1.j", Some(Stage::Parked("key-1".into()))),
            ("n.unique.q.later.k.j", Some(Stage::Later)),
            ("n.unique.q.low.k.j", Some(Stage::Queue(Priority::Low))),
            ("n.unique.q.window.k.j", None),
            ("n.recurring.j", None),
            ("n.flow.q.j", None),
            ("other.queue.q.j", None),
            ("n.queue.bad queue.j", None),
        ] {
            let found = Spot::read(&names, subject);
            assert_eq!(
                found.as_ref().map(|spot| &spot.stage),
                place.as_ref(),
                "{subject}"
            );
            if let Some(spot) = found {
                assert_eq!((spot.queue.as_str(), spot.id.as_str()), ("q", "j"));
            }
        }
    }
}
