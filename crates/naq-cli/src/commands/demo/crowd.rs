//! The jobs of the demo, enqueued: one per file, and five that behave badly.

use std::time::{Duration, Instant};

use naq::{Job, JobId, Jobs, JobsError};

use super::files::Corpus;
use super::ledger::Ledger;
use super::work::{BROKEN, COUNT, DELAYED, FLAKY, PANICS, SLOW};
use crate::error::CliError;

/// How long the delayed job waits.
pub(super) const DELAY: Duration = Duration::from_secs(2);

/// The jobs that behave badly, or take their time: all that is not a file.
pub(super) const SPECIAL: usize = 5;

/// The ids of all jobs.
#[derive(Debug)]
pub(super) struct Crowd {
    /// In the order of the corpus' files.
    pub(super) files: Vec<JobId>,
    pub(super) flaky: JobId,
    pub(super) broken: JobId,
    pub(super) panics: JobId,
    pub(super) delayed: JobId,
    pub(super) slow: JobId,
    /// When the first one was enqueued.
    pub(super) since: Instant,
}

impl Crowd {
    /// New ids for the files of `corpus` and the rest.
    pub(super) fn new(corpus: &Corpus) -> Self {
        Self {
            files: corpus.files.iter().map(|_| JobId::generate()).collect(),
            flaky: JobId::generate(),
            broken: JobId::generate(),
            panics: JobId::generate(),
            delayed: JobId::generate(),
            slow: JobId::generate(),
            since: Instant::now(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.files.len() + SPECIAL
    }

    pub(super) fn special(&self) -> [&JobId; SPECIAL] {
        [
            &self.flaky,
            &self.broken,
            &self.panics,
            &self.delayed,
            &self.slow,
        ]
    }

    /// All ids.
    pub(super) fn ids(&self) -> impl Iterator<Item = &JobId> {
        self.files.iter().chain(self.special())
    }

    /// Enqueues all of them. The slow ones go first, so that the files run beside them.
    pub(super) async fn enqueue(
        &self,
        jobs: &Jobs,
        corpus: &Corpus,
        ledger: &Ledger,
    ) -> Result<(), CliError> {
        for special in self.special_jobs()? {
            jobs.enqueue(special).await?;
        }
        let mut refused = None;
        let files = self
            .files
            .iter()
            .zip(&corpus.files)
            .map_while(|(id, file)| {
                let job = COUNT
                    .job(&file.path)
                    .map_err(|error| refused = Some(error))
                    .ok()?;
                // Asked for one by one, just before each is sent.
                ledger.enqueues(id.as_str());
                Some(job.id(id.clone()))
            });
        let sent: Result<Vec<_>, JobsError> = jobs.enqueue_many(files).await.into_iter().collect();
        sent?;
        refused.map_or(Ok(()), |error| Err(error.into()))
    }

    fn special_jobs(&self) -> Result<[Job<serde_json::Value>; SPECIAL], JobsError> {
        let untyped = |kind: &'static str, queue: &str, retries: u32, id: &JobId| {
            let second = Duration::from_secs(1);
            let job = Job::from_payload(kind, &())?.queue(queue)?.id(id.clone());
            Ok::<_, JobsError>(job.retry(naq::RetryPolicy::fixed(retries, second)))
        };
        let (queue, long) = (super::work::QUEUE, super::work::LONG_QUEUE);
        Ok([
            untyped(SLOW.name(), long, 0, &self.slow)?,
            untyped(FLAKY.name(), queue, 2, &self.flaky)?,
            untyped(BROKEN.name(), queue, 1, &self.broken)?,
            untyped(PANICS.name(), queue, 0, &self.panics)?,
            untyped(DELAYED.name(), queue, 0, &self.delayed)?.delay(DELAY),
        ])
    }
}
