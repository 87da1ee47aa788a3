//! Threads for functions that block: started when needed, never more than the worker has slots, each ends with the worker.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

/// A thread without work ends after this time.
const IDLE: Duration = Duration::from_secs(30);

type Task = Box<dyn FnOnce() + Send>;

/// The threads of one worker. A cheap handle.
#[derive(Clone, Debug)]
pub(in crate::worker) struct Threads(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pool: Mutex<Pool>,
    wake: Condvar,
    alive: watch::Sender<usize>,
}

#[derive(Default)]
struct Pool {
    limit: usize,
    tasks: VecDeque<Task>,
    alive: usize,
    idle: usize,
    is_closed: bool,
}

impl Threads {
    pub(in crate::worker) fn new() -> Self {
        Self(Arc::new(Shared {
            pool: Mutex::default(),
            wake: Condvar::new(),
            alive: watch::Sender::new(0),
        }))
    }

    /// The most threads that there may be.
    pub(in crate::worker) fn set_limit(&self, limit: usize) {
        self.0.lock().limit = limit.max(1);
    }

    /// Runs `task` on a thread, as soon as there is one. After [`Self::close`] it is dropped.
    pub(super) fn run(&self, task: impl FnOnce() + Send + 'static) {
        let mut pool = self.0.lock();
        if pool.is_closed {
            return;
        }
        pool.tasks.push_back(Box::new(task));
        if pool.idle < pool.tasks.len() && pool.alive < pool.limit && self.start() {
            pool.alive += 1;
        }
        let alive = pool.alive;
        drop(pool);
        self.0.alive.send_replace(alive);
        self.0.wake.notify_one();
    }

    /// Whether a thread could be started; without one the task waits for another.
    fn start(&self) -> bool {
        let shared = Arc::clone(&self.0);
        let started = std::thread::Builder::new()
            .name("naq-blocking".to_owned())
            .spawn(move || shared.work());
        started
            .inspect_err(|error| tracing::warn!(%error, "no thread for a blocking handler"))
            .is_ok()
    }

    /// No more tasks; those that wait are dropped, threads end when their function does.
    pub(in crate::worker) fn close(&self) {
        let mut pool = self.0.lock();
        pool.is_closed = true;
        pool.tasks.clear();
        drop(pool);
        self.0.wake.notify_all();
    }

    /// Waits until all threads have ended.
    pub(in crate::worker) async fn ended(&self) {
        let mut alive = self.0.alive.subscribe();
        // The sender is in `self`, so it is there.
        drop(alive.wait_for(|alive| *alive == 0).await);
    }

    /// Threads that there are now.
    pub(in crate::worker) fn alive(&self) -> usize {
        self.0.lock().alive
    }
}

impl Shared {
    /// What a thread does.
    fn work(&self) {
        let mut pool = self.lock();
        loop {
            if let Some(task) = pool.tasks.pop_front() {
                drop(pool);
                task();
                pool = self.lock();
                continue;
            }
            if pool.is_closed {
                break;
            }
            pool.idle += 1;
            let (woken, waited) = self
                .wake
                .wait_timeout(pool, IDLE)
                .unwrap_or_else(PoisonError::into_inner);
            pool = woken;
            pool.idle -= 1;
            if waited.timed_out() && pool.tasks.is_empty() {
                break;
            }
        }
        pool.alive -= 1;
        let alive = pool.alive;
        drop(pool);
        self.alive.send_replace(alive);
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} threads, {} wait",
            self.alive,
            self.limit,
            self.tasks.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[tokio::test]
    async fn threads_are_bounded_and_end() {
        let threads = Threads::new();
        threads.set_limit(2);
        let (starting, started) = mpsc::channel();
        let gate = Arc::new(Mutex::new(()));
        let closed = gate.lock().unwrap();
        for n in 0..5 {
            let (starting, gate) = (starting.clone(), Arc::clone(&gate));
            threads.run(move || {
                starting.send(n).unwrap();
                drop(gate.lock());
            });
        }
        for _ in 0..2 {
            started.recv().unwrap();
        }
        assert_eq!(threads.alive(), 2);
        assert!(started.try_recv().is_err(), "the others wait");
        drop(closed);
        let rest: Vec<i32> = (0..3).map(|_| started.recv().unwrap()).collect();
        assert_eq!(rest, [2, 3, 4]);
        threads.close();
        threads.ended().await;
        assert_eq!(threads.alive(), 0);
    }
}
