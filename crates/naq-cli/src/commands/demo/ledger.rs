//! What the handlers saw: who started when and how often. It is compared with what the server has recorded.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use naq::JobContext;

use super::text::Frequencies;

/// Longest latency that is told apart: an hour.
const LONGEST_MICROS: u64 = 3_600_000_000;

/// Shared by all handlers. A cheap handle.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    enqueued: HashMap<String, Instant>,
    /// Starts by job and attempt.
    starts: HashMap<(String, u32), u32>,
    running: usize,
    /// Microseconds from enqueue to start.
    latency: Histogram<u64>,
    words: Frequencies,
    /// The first enqueue and the last end of a counting job.
    span: Option<(Instant, Instant)>,
}

/// A handler that runs; it has ended when this is dropped, however it ended.
#[derive(Debug)]
#[must_use]
pub(super) struct Running(Ledger);

impl Default for State {
    fn default() -> Self {
        let latency = Histogram::new_with_max(LONGEST_MICROS, 3);
        Self {
            enqueued: HashMap::new(),
            starts: HashMap::new(),
            running: 0,
            latency: latency.expect("the bounds are constants that fit"),
            words: Frequencies::new(),
            span: None,
        }
    }
}

impl Ledger {
    /// The job goes to the server now.
    pub(super) fn enqueues(&self, id: &str) {
        self.state().enqueued.insert(id.to_owned(), Instant::now());
    }

    /// A handler begins.
    pub(super) fn begin(&self, context: &JobContext) -> Running {
        let mut state = self.state();
        let key = (context.id().to_string(), context.attempt());
        *state.starts.entry(key).or_default() += 1;
        state.running += 1;
        Running(self.clone())
    }

    /// As [`Self::begin`] for a job that is due at once, so that its way to the handler can be measured.
    pub(super) fn begin_measured(&self, context: &JobContext) -> Running {
        let mut state = self.state();
        if let Some(waited) = state
            .enqueued
            .get(context.id().as_str())
            .map(Instant::elapsed)
        {
            let micros = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
            state.latency.saturating_record(micros);
        }
        drop(state);
        self.begin(context)
    }

    /// A counting job has read its file.
    pub(super) fn counted(&self, context: &JobContext, words: Frequencies) {
        let (mut state, now) = (self.state(), Instant::now());
        let first = state
            .enqueued
            .get(context.id().as_str())
            .copied()
            .unwrap_or(now);
        let first = state.span.map_or(first, |(earlier, _)| earlier.min(first));
        state.span = Some((first, now));
        for (word, n) in words {
            *state.words.entry(word).or_default() += n;
        }
    }

    /// Handlers that run now.
    pub(super) fn running(&self) -> usize {
        self.state().running
    }

    /// Pairs of job and attempt that were started more than once.
    pub(super) fn executed_twice(&self) -> u64 {
        let state = self.state();
        state
            .starts
            .values()
            .map(|starts| u64::from(*starts > 1))
            .sum()
    }

    /// How often the job's handler was started, over all attempts.
    pub(super) fn starts_of(&self, id: &str) -> u32 {
        let state = self.state();
        let starts = state.starts.iter().filter(|((job, _), _)| job == id);
        starts.map(|(_, starts)| *starts).sum()
    }

    /// Starts over all jobs.
    pub(super) fn starts(&self) -> u64 {
        self.state()
            .starts
            .values()
            .map(|starts| u64::from(*starts))
            .sum()
    }

    /// Time from enqueue to start that `share` percent of the measured jobs did not exceed.
    pub(super) fn latency(&self, share: f64) -> Duration {
        Duration::from_micros(self.state().latency.value_at_quantile(share / 100.0))
    }

    /// From the first enqueue to the last end of a counting job.
    pub(super) fn counting_took(&self) -> Option<Duration> {
        self.state()
            .span
            .map(|(first, last)| last.duration_since(first))
    }

    /// How often the jobs have seen each word.
    pub(super) fn words(&self) -> Frequencies {
        self.state().words.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A handler that panics here leaves counts that are still true.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.running = state.running.saturating_sub(1);
    }
}
