//! The workers of a soak test, and what happens to them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fastrand::Rng;
use rustix::process::Signal;

use super::ground::Ground;
use super::plan::{FREE, MIX, RATED};
use crate::process::{LedgerFile, WorkerProcess};

/// Workers that are there at any time.
const SIZE: usize = 3;

/// A process that stood still, or ended: from when on it did nothing, and until when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stood {
    pub(super) pid: u32,
    pub(super) from: u64,
    pub(super) until: u64,
}

/// The worker processes.
pub(super) struct Crew {
    url: String,
    replicas: &'static str,
    workers: Vec<WorkerProcess>,
    pub(super) stood: Vec<Stood>,
}

/// Microseconds since 1970.
pub(super) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_micros()).unwrap()
}

impl Crew {
    pub(super) fn start(ground: &Ground, ledger: &LedgerFile) -> Self {
        let mut crew = Self {
            url: ground.urls(),
            replicas: ground.replicas(),
            workers: Vec::new(),
            stood: Vec::new(),
        };
        for _ in 0..SIZE {
            crew.hire(ledger);
        }
        crew
    }

    fn hire(&mut self, ledger: &LedgerFile) {
        let queues = [MIX, RATED, FREE].join(",");
        let settings = [
            ("IT_QUEUES", queues.as_str()),
            ("NAQ_REPLICAS", self.replicas),
            ("NAQ_REQUEST_TIMEOUT", "2s"),
            ("NAQ_WORKER_CONCURRENCY", "8"),
            // The workers are killed more often than a job in earnest would stand.
            ("NAQ_MAX_DELIVER", "100"),
        ];
        let worker = WorkerProcess::start(&self.url, ledger, &settings);
        self.workers.push(worker);
    }

    /// Kills, stops or ends one of them; what is gone is replaced.
    pub(super) async fn strike(&mut self, rng: &mut Rng, ledger: &LedgerFile) -> &'static str {
        let index = rng.usize(0..self.workers.len());
        match rng.u8(0..3) {
            0 => {
                let victim = self.workers.swap_remove(index);
                let pid = victim.pid();
                victim.kill().await;
                self.stand(pid, now(), u64::MAX);
                self.hire(ledger);
                "worker killed"
            }
            1 => {
                let (victim, from) = (&self.workers[index], now());
                let pid = victim.pid();
                victim.signal(Signal::STOP);
                tokio::time::sleep(Duration::from_millis(rng.u64(500..4000))).await;
                self.workers[index].signal(Signal::CONT);
                self.stand(pid, from, now());
                "worker frozen"
            }
            // One that is only starting would be killed by the signal.
            _ if !ledger.has_seen(self.workers[index].pid()) => "worker left alone",
            _ => {
                let leaving = self.workers.swap_remove(index);
                self.hire(ledger);
                assert!(leaving.terminate().await, "a worker did not end well");
                "worker ended"
            }
        }
    }

    fn stand(&mut self, pid: u32, from: u64, until: u64) {
        self.stood.push(Stood { pid, from, until });
    }

    /// Ends all of them.
    pub(super) async fn dismiss(self) {
        for worker in self.workers {
            assert!(worker.terminate().await, "a worker did not end well");
        }
    }
}
