//! What the frame shows: the last look, and rates from the one before.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use naq::{DeadLetter, QueueInfo, Settings, WorkerInfo};
use serde_json::{Value, json};

use super::feed::Look;

/// What the frame shows.
#[derive(Debug)]
pub(super) struct Model {
    /// The server, without secrets.
    pub(super) server: String,
    /// Why nothing is seen, if nothing is.
    pub(super) trouble: Option<String>,
    pub(super) queues: Vec<QueueRow>,
    pub(super) workers: Vec<WorkerInfo>,
    pub(super) failures: Vec<DeadLetter>,
    stale_after: Duration,
    before: Option<(Instant, BTreeMap<String, Counters>)>,
}

/// A queue, and jobs a second that come and go; `None` at the first look.
#[derive(Debug, Clone)]
pub(super) struct QueueRow {
    pub(super) info: QueueInfo,
    pub(super) rates: Option<(f64, f64)>,
}

/// Counters that only grow: jobs that came, jobs that were settled.
#[derive(Debug, Clone, Copy)]
struct Counters {
    came: u64,
    settled: u64,
}

impl Model {
    pub(super) fn new(settings: &Settings) -> Self {
        let servers = &settings.nats.servers;
        let shown: Vec<_> = servers
            .iter()
            .map(|url| naq::config::redact_url(url))
            .collect();
        Self {
            server: shown.join(", "),
            trouble: Some("connecting".to_owned()),
            queues: Vec::new(),
            workers: Vec::new(),
            failures: Vec::new(),
            // Two missed signs of life; the clocks of two hosts may differ by a second.
            stale_after: settings.workers.heartbeat_interval * 2 + Duration::from_secs(1),
            before: None,
        }
    }

    /// Takes in what was seen. The busiest queues come first.
    pub(super) fn take(&mut self, look: Look) {
        let counters: BTreeMap<String, Counters> = look
            .queues
            .iter()
            .map(|info| (info.name.to_string(), Counters::of(info)))
            .collect();
        let rows = look.queues.into_iter().map(|info| {
            let now = Counters::of(&info);
            let before = self.before.as_ref().and_then(|(at, all)| {
                let before = *all.get(info.name.as_str())?;
                Some((look.at.duration_since(*at), before))
            });
            let rates = before.map(|(time, before)| now.since(before, time));
            QueueRow { info, rates }
        });
        self.queues = rows.collect();
        self.queues.sort_by_key(|row| {
            let load = row.info.waiting + row.info.in_flight;
            (std::cmp::Reverse(load), row.info.name.to_string())
        });
        self.workers = look.workers;
        self.failures = look.failures;
        self.trouble = None;
        self.before = Some((look.at, counters));
    }

    /// Time since the last sign of life of a worker, and whether that is too long.
    pub(super) fn silence(&self, worker: &WorkerInfo) -> Option<(Duration, bool)> {
        let seen: jiff::Timestamp = worker.seen_at.parse().ok()?;
        let silence = SystemTime::now()
            .duration_since(seen.into())
            .unwrap_or_default();
        Some((silence, silence > self.stale_after))
    }

    /// The sums: waiting, in flight, running, scheduled, parked, dead.
    pub(super) fn sums(&self) -> [u64; 6] {
        let mut sums = [0; 6];
        for QueueRow { info, .. } in &self.queues {
            let all = [
                info.waiting,
                info.in_flight,
                info.running,
                info.scheduled,
                info.parked,
                info.dead,
            ];
            for (sum, number) in sums.iter_mut().zip(all) {
                *sum += number;
            }
        }
        sums
    }

    /// As JSON.
    pub(super) fn described(&self) -> Value {
        let queue = |row: &QueueRow| {
            let info = &row.info;
            json!({
                "queue": info.name.as_str(), "waiting": info.waiting, "in_flight": info.in_flight,
                "running": info.running, "scheduled": info.scheduled, "parked": info.parked, "dead": info.dead,
                "workers": info.workers, "slots": info.slots, "busy": info.busy,
                "paused": info.is_paused,
            })
        };
        let worker = |worker: &WorkerInfo| {
            let mut value = json!(worker.record);
            value["seen_at"] = worker.seen_at.as_str().into();
            value["stale"] = self.silence(worker).is_some_and(|(_, stale)| stale).into();
            value
        };
        let failure = |letter: &DeadLetter| {
            json!({
                "id": letter.id.as_str(), "kind": letter.kind, "queue": letter.queue.as_str(),
                "reason": letter.reason, "error": letter.error, "dead_at_ms": letter.dead_at_ms,
            })
        };
        json!({
            "queues": self.queues.iter().map(queue).collect::<Vec<_>>(),
            "workers": self.workers.iter().map(worker).collect::<Vec<_>>(),
            "failures": self.failures.iter().map(failure).collect::<Vec<_>>(),
        })
    }
}

impl Counters {
    fn of(info: &QueueInfo) -> Self {
        Self {
            came: info.settled + info.in_flight + info.waiting,
            settled: info.settled,
        }
    }

    /// Jobs a second that came and that were settled.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    fn since(self, before: Self, time: Duration) -> (f64, f64) {
        let seconds = time.as_secs_f64().max(0.001);
        let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        (
            rate(self.came, before.came),
            rate(self.settled, before.settled),
        )
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn queue(name: &str, waiting: u64, settled: u64) -> QueueInfo {
        QueueInfo {
            name: name.parse().unwrap(),
            waiting,
            in_flight: 2,
            running: 1,
            scheduled: 0,
            parked: 0,
            dead: 1,
            workers: 1,
            slots: 4,
            busy: 2,
            oldest_waiting: None,
            delivered: settled + 2,
            settled,
            is_paused: false,
        }
    }

    pub(in super::super) fn look(at: Instant, queues: Vec<QueueInfo>) -> Look {
        Look {
            at,
            queues,
            workers: Vec::new(),
            failures: Vec::new(),
        }
    }

    #[test]
    fn rates_come_from_two_looks_and_the_busiest_queue_is_first() {
        let mut model = Model::new(&Settings::default());
        assert_eq!(model.trouble.as_deref(), Some("connecting"));
        let start = Instant::now();
        model.take(look(start, vec![queue("a", 0, 100), queue("b", 50, 10)]));
        assert_eq!(model.queues[0].info.name.as_str(), "b");
        assert!(model.queues.iter().all(|row| row.rates.is_none()));
        let later = start + Duration::from_secs(2);
        model.take(look(later, vec![queue("a", 0, 300), queue("b", 40, 30)]));
        assert_eq!(model.queues[0].rates, Some((5.0, 10.0)));
        assert_eq!(model.queues[1].rates, Some((100.0, 100.0)));
        assert_eq!((model.sums(), model.trouble), ([40, 4, 2, 0, 0, 2], None));
    }

    #[test]
    fn counters_that_begin_anew_are_no_negative_rate() {
        let mut model = Model::new(&Settings::default());
        let start = Instant::now();
        model.take(look(start, vec![queue("a", 0, 100)]));
        model.take(look(start + Duration::from_secs(1), vec![queue("a", 0, 0)]));
        assert_eq!(model.queues[0].rates, Some((0.0, 0.0)));
    }
}
