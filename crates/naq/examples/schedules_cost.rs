//! What many schedules and delays cost: `cargo run --release --example schedules_cost [schedules] [delays] [seconds]`,
//! where the schedules are due after so many seconds, by when all must have been created.
//!
//! Starts a server of its own and prints one line per step; the figures of `docs/design/0004-schedules.md` are from here.
#![expect(clippy::print_stdout, reason = "the figures are the output")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use naq::embedded::EmbeddedServer;
use naq::{JobContext, JobError, Jobs, Kind, Settings};

const NOTE: Kind<u64, u64> = Kind::new("note");

/// Schedules that are created at the same time.
const TOGETHER: usize = 50;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let schedules = numbers.next().transpose()?.unwrap_or(10_000);
    let delays = numbers.next().transpose()?.unwrap_or(100_000);
    let seconds = numbers.next().transpose()?.unwrap_or(300);
    let server = EmbeddedServer::builder().start().await?;
    let mut settings = Settings::default();
    settings.nats.servers = vec![server.url()];
    settings.nats.request_timeout = Duration::from_secs(20);
    let jobs = Jobs::connect(settings).await?;
    show("empty", &server);

    // All are due at the same second, after they are created and have been idle for a while.
    let due = SystemTime::now() + Duration::from_secs(u64::try_from(seconds)?);
    let began = Instant::now();
    create(&jobs, schedules, due).await?;
    rate("schedules created", schedules, began);
    if SystemTime::now() > due {
        return Err("they were due before all of them were created: give it more seconds".into());
    }
    show("schedules", &server);
    let worker = jobs
        .worker()
        .concurrency(100)
        .handle(
            NOTE,
            |_: JobContext, n: u64| async move { Ok::<_, JobError>(n) },
        )
        .start()
        .await?;
    idle("schedules, one worker", &server).await;
    fire(&jobs, schedules, due).await?;

    let began = Instant::now();
    delay(&jobs, delays).await?;
    rate("delays enqueued", delays, began);
    show("schedules and delays", &server);
    idle("schedules and delays, one worker", &server).await;

    worker.stop(Duration::from_secs(10)).await;
    server.kill().await?;
    let began = Instant::now();
    server.start_again().await?;
    while jobs.stock().await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!(
        "server killed and back, first answer: {:?}",
        began.elapsed()
    );
    show("after the restart", &server);
    jobs.shutdown().await;
    server.stop().await?;
    Ok(())
}

async fn create(jobs: &Jobs, count: usize, due: SystemTime) -> Result<(), Failure> {
    let mut left = 0..count;
    let mut running = tokio::task::JoinSet::new();
    loop {
        while running.len() < TOGETHER
            && let Some(n) = left.next()
        {
            let new = jobs.schedule(NOTE.job(&0)?);
            let new = new.every(Duration::from_secs(24 * 3600)).start(due);
            running.spawn(new.create(format!("daily-{n}")));
        }
        match running.join_next().await {
            Some(created) => drop(created??),
            None => return Ok(()),
        }
    }
}

/// Waits for all jobs of the schedules, and says how late they were.
async fn fire(jobs: &Jobs, count: usize, due: SystemTime) -> Result<(), Failure> {
    while jobs.stock().await?.outcomes < u64::try_from(count)? {
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let due_ms = (due.duration_since(UNIX_EPOCH)?.as_secs() + 1) * 1000;
    let (mut late, mut from) = (Vec::with_capacity(count), 0);
    loop {
        let page = jobs.results().list(from, 1000).await?;
        let outcomes = page.outcomes.iter();
        late.extend(outcomes.map(|outcome| outcome.started_at_ms.saturating_sub(due_ms)));
        match page.next {
            Some(next) => from = next,
            None => break,
        }
    }
    late.sort_unstable();
    let at = |part: usize| late.get((late.len() * part / 100).min(late.len() - 1));
    println!(
        "{} jobs of one second, started late by ms: first {:?}, half {:?}, 99 % {:?}, last {:?}",
        late.len(),
        at(0),
        at(50),
        at(99),
        late.last()
    );
    Ok(())
}

async fn delay(jobs: &Jobs, count: usize) -> Result<(), Failure> {
    let all = (0..count).map(|_| Ok(NOTE.job(&1)?.delay(Duration::from_secs(3600))));
    let all: Result<Vec<_>, Failure> = all.collect();
    for answer in jobs.enqueue_many(all?).await {
        answer?;
    }
    Ok(())
}

fn rate(what: &str, count: usize, began: Instant) {
    let took = began.elapsed();
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    println!("{count} {what} in {took:?}: {:?} each", took / count.max(1));
}

/// The processor time of ten idle seconds, of the server and of this process.
async fn idle(what: &str, server: &EmbeddedServer) {
    // What was written just before is still being tidied up.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let own = std::process::id();
    let pid = server.pid().unwrap_or(own);
    let before = (ticks(pid), ticks(own));
    tokio::time::sleep(Duration::from_secs(10)).await;
    let (server, own) = (ticks(pid) - before.0, ticks(own) - before.1);
    println!("{what}: server {server} ms and worker {own} ms of processor time in 10 s");
}

fn show(what: &str, server: &EmbeddedServer) {
    let status = server.pid().map(|pid| format!("/proc/{pid}/status"));
    let status = status.and_then(|path| std::fs::read_to_string(path).ok());
    let status = status.unwrap_or_default();
    let memory = status.lines().find(|line| line.starts_with("VmRSS"));
    println!("{what}: server {}", memory.unwrap_or("?"));
}

/// Processor time of a process so far, in ms (a tick is 10 ms).
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    let times = fields
        .skip(11)
        .take(2)
        .filter_map(|n| n.parse::<u64>().ok());
    times.sum::<u64>() * 10
}
