//! One round: the jobs go in while the blows fall, then all has to come to its end.

use std::time::{Duration, Instant};

use fastrand::Rng;
use naq_config::settings::Rate;
use naq_jobs::{Controls, Jobs, JobsError, JobsErrorKind, KindName, QueueName};
use naq_testing::eventually;
use tokio::time::sleep;

use super::crew::Crew;
use super::facts;
use super::ground::Ground;
use super::model::Facts;
use super::plan::{FREE, LIMITS, MIX, RATE, RATED, Spec};
use crate::process::{LedgerFile, WORK};
use crate::setup::{LONG, job_id};

/// The workers have to be back after so long, once the servers are.
const BACK: Duration = Duration::from_secs(3);

/// What is drawn for one round.
pub(super) struct Round {
    number: u32,
    specs: Vec<Spec>,
    blows: u32,
    rng: Rng,
}

impl Round {
    pub(super) fn draw(rng: &mut Rng, number: u32, (jobs, blows): (u32, u32)) -> Self {
        Self {
            number,
            specs: (0..jobs).map(|n| Spec::draw(rng, number, n)).collect(),
            blows,
            rng: rng.fork(),
        }
    }

    /// Plays it.
    ///
    /// # Panics
    /// If anything is not as the model says.
    pub(super) async fn run(mut self, ground: &Ground, jobs: &Jobs) {
        let begin = Instant::now();
        let ledger = LedgerFile::new();
        set_limits(&jobs.controls()).await;
        let outcomes_before = facts::outcomes_ever(jobs).await;
        let mut crew = Crew::start(ground, &ledger);
        let mut rng = self.rng.fork();
        let blows = self.blows;
        let number = self.number;
        let (done, probes) = tokio::join!(self.enqueue(jobs), async {
            let mut probes = 0;
            for blow in 0..blows {
                sleep(Duration::from_millis(rng.u64(100..800))).await;
                probes += strike(&mut rng, ground, jobs, &mut crew, &ledger, (number, blow)).await;
            }
            probes
        });
        facts::nothing_left(jobs).await;
        let facts = Facts {
            jobs: done,
            entries: ledger.entries(),
            outcomes: facts::outcomes(jobs).await,
            dead: facts::dead(jobs).await,
            stood: std::mem::take(&mut crew.stood),
        };
        let faults = facts.faults();
        assert!(faults.is_empty(), "round {number}: {faults:#?}");
        let written = facts::outcomes_ever(jobs).await - outcomes_before;
        let there = facts.outcomes.len() as u64;
        assert_eq!(
            written, there,
            "round {number}: an outcome was written twice"
        );
        crew.dismiss().await;
        println!(
            "round {number}: {} jobs, {probes} probes, {there} outcomes, {} dead, {} attempts in {:?}",
            facts.jobs.len(),
            facts.dead.len(),
            facts.entries.iter().filter(|e| e.what == "start").count(),
            begin.elapsed()
        );
        facts::clear(jobs).await;
    }

    /// Enqueues the jobs, and cancels some; says which there are, and what their cancels said.
    async fn enqueue(&mut self, jobs: &Jobs) -> Vec<(Spec, Option<bool>)> {
        let mut done = Vec::new();
        let mut cancels = futures::stream::FuturesUnordered::new();
        for spec in self.specs.drain(..) {
            let handle = surely(&spec.id, async || jobs.enqueue(spec.job()).await).await;
            if handle.id().as_str() != spec.id {
                // Its key was taken.
                continue;
            }
            let after = spec.cancel_after;
            if after.is_some() {
                cancels.push(cancel(jobs, spec.id.clone(), after.unwrap_or_default()));
            }
            done.push((spec, None));
            sleep(Duration::from_millis(self.rng.u64(0..12))).await;
        }
        while let Some((id, cancelled)) = futures::StreamExt::next(&mut cancels).await {
            if let Some(job) = done.iter_mut().find(|(spec, _)| spec.id == id) {
                job.1 = cancelled;
            }
        }
        done
    }
}

/// One blow, and a job that shows that the workers are back; says how many probes were made.
async fn strike(
    rng: &mut Rng,
    ground: &Ground,
    jobs: &Jobs,
    crew: &mut Crew,
    ledger: &LedgerFile,
    (round, blow): (u32, u32),
) -> u32 {
    match rng.u8(0..5) {
        0 => {
            println!("  {}", crew.strike(rng, ledger).await);
            return 0;
        }
        1 => {
            pause_for_a_moment(rng, jobs).await;
            return 0;
        }
        _ => {}
    }
    let blow_kind = ground.draw(rng);
    let mut seen = Vec::new();
    // A machine that stands still for a moment makes them late: one of three times they are not.
    for probe in 1..=3 {
        let pause = Duration::from_millis(rng.u64(0..3000));
        ground.strike(jobs, blow_kind, pause).await;
        let back = back_after(jobs, &format!("probe-{round}-{blow}-{probe}")).await;
        println!("  {blow_kind:?} for {pause:?}: workers back {back:?} after a job was there");
        seen.push(back);
        if back < BACK {
            return probe;
        }
    }
    panic!("the workers were back only after {seen:?}");
}

/// How long a job takes that is enqueued as soon as there is a leader. (A publish that falls into an election may stay without an
/// answer, and who enqueues waits for that before it tries again: that is not the workers' time.)
async fn back_after(jobs: &Jobs, id: &str) -> Duration {
    facts::led(jobs, FREE).await;
    let id = job_id(id);
    let probe = surely("probe", async || {
        let job = WORK.job(&1).unwrap().id(id.clone()).queue(FREE).unwrap();
        jobs.enqueue(job).await
    })
    .await;
    let stored = Instant::now();
    // Not waited for: a waiter writes to the stream of outcomes, whose messages are counted.
    eventually(LONG, async || match jobs.results().find(probe.id()).await {
        Ok(Some(_)) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    stored.elapsed()
}

/// The kind is paused, then resumed.
async fn pause_for_a_moment(rng: &mut Rng, jobs: &Jobs) {
    let (controls, kind) = (jobs.controls(), KindName::new("mixed").unwrap());
    surely("pause", async || controls.pause_kind(&kind, None).await).await;
    sleep(Duration::from_millis(rng.u64(100..1000))).await;
    let parked = surely("resume", async || controls.resume_kind(&kind).await).await;
    println!("  kind paused, {parked} released");
}

async fn cancel(jobs: &Jobs, id: String, after: Duration) -> (String, Option<bool>) {
    sleep(after).await;
    let job = job_id(&id);
    let cancelled = surely("cancel", async || {
        let request = jobs.cancel(&job).grace(Duration::from_millis(100));
        match request.await {
            Ok(report) => Ok(Some(report.is_cancelled())),
            // It has ended and left nothing.
            Err(error) if error.kind() == JobsErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    });
    let cancelled = cancelled.await;
    (id, cancelled)
}

/// Does it again until it succeeds: as a program does whose server is away.
pub(super) async fn surely<T>(
    what: &str,
    mut step: impl AsyncFnMut() -> Result<T, JobsError>,
) -> T {
    eventually(LONG, async || match step().await {
        Ok(done) => Ok(done),
        Err(error) if error.is_transient() || error.kind() == JobsErrorKind::Conflict => {
            Err(format!("{what}: {error}"))
        }
        Err(error) => panic!("{what}: {error}"),
    })
    .await
}

async fn set_limits(controls: &Controls) {
    let name = |queue: &str| QueueName::new(queue).unwrap();
    surely("limits", async || {
        controls
            .limit_queue(&name(MIX), |set| {
                set.max_running = Some(LIMITS.0);
                set.max_running_per_key = Some(LIMITS.1);
            })
            .await
    })
    .await;
    surely("rate", async || {
        let rate = Rate::new(RATE.0, Duration::from_secs(1))
            .unwrap()
            .burst(RATE.1);
        controls
            .limit_queue(&name(RATED), |set| set.rate = Some(rate))
            .await
    })
    .await;
}
