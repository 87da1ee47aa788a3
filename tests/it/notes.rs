//! Progress, partial results and logs: live, replayed, over a lost connection, and never at the cost of the job.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use naq_jobs::{JobContext, JobError, JobNews, Kind, Outcome, RetryPolicy, Status, Watch};
use naq_testing::eventually_eq;
use serde_json::json;
use tracing::Level;

use crate::setup::{Bed, Gate, LONG};

/// Says something before the gate, more after it.
const TALK: Kind<u32, u32> = Kind::new("talk");

async fn talker(bed: &Bed, gate: &Gate) -> naq_jobs::RunningWorker {
    let gate = gate.clone();
    let worker = bed
        .jobs
        .worker()
        .handle(TALK, move |context: JobContext, parts: u32| {
            let gate = gate.clone();
            async move {
                context.log(Level::INFO, "started");
                context.progress(0, parts.into()).message("warming up");
                context.partial(&json!({ "part": 0 }));
                gate.pass().await;
                for part in 1..=parts {
                    context.partial(&json!({ "part": part }));
                    context.progress(part.into(), parts.into());
                }
                context.log(Level::WARN, "done");
                Ok::<_, JobError>(parts)
            }
        });
    worker.start().await.unwrap()
}

/// What was said, in short: `p1/3`, `part 1`, `info started`; and the end.
async fn heard(watch: &mut Watch) -> (Vec<String>, Outcome) {
    let mut said = Vec::new();
    loop {
        match next(watch).await {
            JobNews::End(outcome) => return (said, *outcome),
            news => said.push(short(&news)),
        }
    }
}

async fn next(watch: &mut Watch) -> JobNews {
    let news = tokio::time::timeout(LONG, watch.next()).await;
    news.unwrap().unwrap().unwrap()
}

fn short(news: &JobNews) -> String {
    match news {
        JobNews::Progress(p) => format!("p{}/{}", p.done, p.total),
        JobNews::Part(part) => format!("{}", part.value),
        JobNews::Log(line) => format!("{} {}", line.level, line.message),
        other => format!("{other:?}"),
    }
}

fn parts(said: &[String]) -> Vec<&String> {
    said.iter().filter(|text| text.contains("part")).collect()
}

/// AC-29 (the stream behind it): a watcher of another process hears live what a running job says, and then its end.
#[tokio::test]
async fn what_a_job_says_is_heard_while_it_runs_and_before_its_end() {
    let bed = Bed::new().await;
    let other = bed.other(|_| {}).await;
    let gate = Gate::new();
    let worker = talker(&bed, &gate).await;
    let job = bed.jobs.enqueue(TALK.job(&3).unwrap()).await.unwrap();
    let mut watch = other.watch(job.id());
    let mut first = Vec::new();
    while first.len() < 3 {
        first.push(short(&next(&mut watch).await));
    }
    assert_eq!(first, ["info started", "p0/3", r#"{"part":0}"#]);
    assert!(
        other.results().find(job.id()).await.unwrap().is_none(),
        "it still runs"
    );
    gate.open(1);
    let (said, outcome) = heard(&mut watch).await;
    assert_eq!(outcome.status, Status::Completed);
    assert_eq!(
        parts(&said),
        [r#"{"part":1}"#, r#"{"part":2}"#, r#"{"part":3}"#]
    );
    assert_eq!(
        said.iter().rfind(|text| text.starts_with('p')).unwrap(),
        "p3/3"
    );
    assert_eq!(said.last().unwrap(), "warn done");
    assert!(watch.next().await.is_none());
    worker.stop(LONG).await;
}

/// Who comes late sees the last progress, all parts in their order, and the log.
#[tokio::test]
async fn a_late_watcher_sees_what_was_said_and_the_end() {
    let bed = Bed::new().await;
    let gate = Gate::new();
    gate.open(1);
    let worker = talker(&bed, &gate).await;
    let job = bed.jobs.enqueue(TALK.job(&500).unwrap()).await.unwrap();
    job.result(LONG).await.unwrap();
    let (said, outcome) = heard(&mut bed.jobs.watch(job.id())).await;
    assert!(outcome.is_success());
    let expected: Vec<_> = (0..=500).map(|n| format!("{{\"part\":{n}}}")).collect();
    assert_eq!(parts(&said), expected.iter().collect::<Vec<_>>());
    let progress: Vec<_> = said.iter().filter(|text| text.starts_with('p')).collect();
    assert_eq!(progress, ["p500/500"]);
    assert!(said.contains(&"info started".to_owned()) && said.contains(&"warn done".to_owned()));
    // Only the progress, as a stream.
    let progress: Vec<_> = job.progress().collect().await;
    assert_eq!(progress.len(), 1);
    worker.stop(LONG).await;
}

/// The server is stopped and started again between the parts of a job: the watcher misses none and sees none twice.
#[tokio::test]
async fn a_watcher_misses_nothing_over_a_restart_of_the_server() {
    let bed = Bed::new().await;
    let gate = Gate::new();
    let worker = talker(&bed, &gate).await;
    let job = bed.jobs.enqueue(TALK.job(&100).unwrap()).await.unwrap();
    let mut watch = bed.jobs.watch(job.id());
    let mut said = Vec::new();
    while said.len() < 3 {
        said.push(short(&next(&mut watch).await));
    }
    bed.server.restart().await.unwrap();
    gate.open(1);
    let (rest, outcome) = heard(&mut watch).await;
    assert!(outcome.is_success());
    said.extend(rest);
    let expected: Vec<_> = (0..=100).map(|n| format!("{{\"part\":{n}}}")).collect();
    assert_eq!(parts(&said), expected.iter().collect::<Vec<_>>());
    worker.stop(LONG).await;
}

/// Far more than fits anywhere: the job ends as if nobody had said anything, and what is kept is bounded.
#[tokio::test]
async fn a_flood_of_notes_and_a_stream_that_is_gone_fail_no_job() {
    let bed = Bed::new().await;
    let flood = Kind::<u32, ()>::new("flood");
    let worker = bed
        .jobs
        .worker()
        .handle(flood, async |context: JobContext, lines: u32| {
            for line in 0..lines {
                context.log(Level::INFO, format!("line {line}"));
                context.progress(line.into(), lines.into());
            }
            Ok::<_, JobError>(())
        })
        .start()
        .await
        .unwrap();
    let job = bed.jobs.enqueue(flood.job(&50_000).unwrap()).await.unwrap();
    job.result(LONG).await.unwrap();
    let (said, _) = heard(&mut job.watch()).await;
    assert!(said.len() <= 2002, "{} notes", said.len());
    assert!(
        said.iter().any(|text| text.contains("notes were dropped")),
        "{}",
        said.len()
    );
    bed.ask("STREAM.DELETE.naq_notes", json!({})).await;
    let policy = RetryPolicy::fixed(0, Duration::ZERO);
    let job = bed
        .jobs
        .enqueue(flood.job(&10).unwrap().retry(policy))
        .await
        .unwrap();
    job.result(LONG).await.unwrap();
    // And it is made again.
    eventually_eq(LONG, true, async || {
        bed.server.jsz().await.stream("naq_notes").is_some()
    })
    .await;
    worker.stop(LONG).await;
}

/// Events of `tracing` inside of a job are lines of its log; those outside are not.
#[tokio::test]
async fn events_inside_a_job_are_lines_of_its_log() {
    use tracing_subscriber::layer::SubscriberExt;

    let layer = naq_jobs::JobLogLayer::new().level(Level::DEBUG);
    let subscriber = tracing_subscriber::registry().with(layer);
    // The handlers run on this thread.
    let _guard = tracing::subscriber::set_default(subscriber);
    let bed = Bed::new().await;
    let worker = bed
        .jobs
        .worker()
        .handle(TALK, async |number: u32| {
            tracing::info!(number, "inside");
            tokio::task::yield_now().await;
            tracing::debug!("after an await");
            tracing::trace!("too much");
            Ok::<_, JobError>(number)
        })
        .start()
        .await
        .unwrap();
    let job = bed.jobs.enqueue(TALK.job(&7).unwrap()).await.unwrap();
    tracing::info!("outside");
    let (said, _) = heard(&mut job.watch()).await;
    assert_eq!(said, ["info inside number=7", "debug after an await"]);
    worker.stop(LONG).await;
}

/// The settings bound what is kept, in time and in bytes; the outcome stays.
#[tokio::test]
async fn notes_go_after_the_time_of_the_settings_and_take_no_more_room_than_they_allow() {
    let bed = Bed::with(|settings| {
        settings.results.notes_ttl = Duration::from_secs(1);
        settings.results.notes_max_bytes = 3 << 20;
    })
    .await;
    let gate = Gate::new();
    gate.open(1);
    let worker = talker(&bed, &gate).await;
    let job = bed.jobs.enqueue(TALK.job(&9).unwrap()).await.unwrap();
    let (said, _) = heard(&mut bed.jobs.watch(job.id())).await;
    assert!(said.contains(&"warn done".to_owned()), "{said:?}");
    let filter = format!("naq.note.{}.>", job.id());
    eventually_eq(LONG, 0, async || {
        bed.subjects("naq_notes", &filter).await.len()
    })
    .await;
    let (said, outcome) = heard(&mut bed.jobs.watch(job.id())).await;
    assert_eq!((said, outcome.is_success()), (Vec::new(), true));
    let info = bed.ask("STREAM.INFO.naq_notes", json!({})).await;
    assert_eq!(info["config"]["max_bytes"], json!(3 << 20));
    worker.stop(LONG).await;
}

/// A thousand is what the server allows a stream that says nothing.
#[tokio::test]
async fn more_than_a_thousand_watch_at_the_same_time_and_leave_nothing_behind() {
    let bed = Bed::with(|s| s.queues.ack_wait = LONG).await;
    let gate = Gate::new();
    let worker = talker(&bed, &gate).await;
    let job = TALK.job(&1).unwrap().timeout(LONG);
    let job = bed.jobs.enqueue(job).await.unwrap();
    gate.started(1).await;
    let mut watching = FuturesUnordered::new();
    for _ in 0..1100 {
        let mut watch = bed.jobs.watch(job.id());
        watching.push(async move {
            let first = short(&next(&mut watch).await);
            (first, watch)
        });
    }
    let mut watches = Vec::new();
    while let Some((first, watch)) = watching.next().await {
        assert_eq!(first, "info started");
        watches.push(watch);
    }
    let readers = async || readers(&bed).await;
    assert!(readers().await > 1000);
    gate.open(1);
    for watch in &mut watches {
        assert_eq!(heard(watch).await.1.status, Status::Completed);
    }
    // Those that are forgotten go after ten seconds without interest.
    eventually_eq(Duration::from_secs(9), 0, readers).await;
    drop(watches);
    worker.stop(LONG).await;
}

/// Consumers of the stream of notes.
async fn readers(bed: &Bed) -> usize {
    let jsz = bed.server.jsz().await;
    jsz.stream("naq_notes").unwrap().consumers.len()
}
