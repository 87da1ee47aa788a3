//! The soak from start to end.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use naq_connection::ConnectionService;
use naq_testing::FaultProxy;
use serde_json::json;
use tokio::time::sleep;

use super::faults;
use super::load::{Counts, Load};
use super::verdict::{Left, Sample, Verdict, judge};
use super::vitals::Vitals;
use crate::Outcome;
use crate::args::SoakOptions;
use crate::progress::Progress;
use crate::rig::{Rig, settings};

/// Time for the last tasks and files to go.
const SETTLING: Duration = Duration::from_secs(10);
/// Samples and faults of one run, unless that would be too many a second or too few an hour.
const SAMPLES: u32 = 400;
const FAULTS: u32 = 12;

/// What happened in a run.
struct Story {
    memory: Vec<Sample>,
    most_files: usize,
    faults: u32,
}

/// False if something grew and that was to be checked.
pub(crate) async fn run(options: &SoakOptions) -> Outcome<bool> {
    let progress = Progress::new();
    let rig = Rig::start().await?;
    let link = FaultProxy::to(&rig.url());
    let before = Vitals::read()?;
    let service = ConnectionService::new(settings(vec![link.url()]));
    let load = Load::start(&service, options.patient);
    let story = watch(
        options.span,
        &rig,
        &link,
        (&service, &load.counts),
        &progress,
    )
    .await;
    let counts = load.stop().await;
    let leases = service.leases();
    let abandoned = service.metrics().abandoned_requests;
    service.shutdown(SETTLING).await;
    drop(service);
    let left = settle(before, leases, &link).await?;
    progress.end();
    link.stop();
    rig.server.stop().await?;
    let story = story?;
    let verdict = judge(&story.memory, left);
    print(options, &story, &counts, &verdict, abandoned);
    Ok(!options.check || verdict.flat)
}

/// Samples and breaks things until the time is over.
async fn watch(
    span: Duration,
    rig: &Rig,
    link: &FaultProxy,
    (service, counts): (&ConnectionService, &Counts),
    progress: &Progress,
) -> Outcome<Story> {
    let start = Instant::now();
    let mut story = Story {
        memory: Vec::new(),
        most_files: 0,
        faults: 0,
    };
    let sampling = async {
        let every = (span / SAMPLES).clamp(Duration::from_millis(50), Duration::from_secs(5));
        while start.elapsed() < span {
            let vitals = Vitals::read()?;
            story.memory.push(Sample {
                seconds: start.elapsed().as_secs_f64(),
                kib: vitals.rss_kib as f64,
                abandoned: service.metrics().abandoned_requests as f64,
            });
            story.most_files = story.most_files.max(vitals.files);
            progress.say(line(vitals, counts));
            sleep(every).await;
        }
        Outcome::Ok(())
    };
    let mut faults = 0;
    let breaking = async {
        let every = (span / FAULTS).clamp(Duration::from_millis(200), Duration::from_secs(20));
        // The last fault heals before the end, so that the end is an orderly one.
        while start.elapsed() + every * 2 < span {
            sleep(every).await;
            faults::next(faults, link, &rig.server).await?;
            faults += 1;
        }
        Outcome::Ok(())
    };
    tokio::try_join!(sampling, breaking)?;
    story.faults = faults;
    Ok(story)
}

fn line(vitals: Vitals, counts: &Counts) -> String {
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    format!(
        "{} KiB, {} files, {} tasks; {} scopes, {} failed, {} cancelled",
        vitals.rss_kib,
        vitals.files,
        vitals.tasks,
        count(&counts.succeeded),
        count(&counts.failed),
        count(&counts.cancelled),
    )
}

/// What is there that was not there `before`, after some time to go.
async fn settle(before: Vitals, leases: usize, link: &FaultProxy) -> Outcome<Left> {
    let deadline = Instant::now() + SETTLING;
    loop {
        let now = Vitals::read()?;
        let left = Left {
            files: i64::try_from(now.files)? - i64::try_from(before.files)?,
            tasks: i64::try_from(now.tasks)? - i64::try_from(before.tasks)?,
            leases,
            connections: link.connections(),
        };
        let gone = left.files <= 0 && left.tasks <= 0 && left.connections == 0;
        if gone || Instant::now() > deadline {
            return Ok(left);
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn print(options: &SoakOptions, story: &Story, counts: &Counts, verdict: &Verdict, abandoned: u64) {
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let (ok, failed) = (count(&counts.succeeded), count(&counts.failed));
    if options.json {
        let report = json!({
            "seconds": options.span.as_secs_f64(),
            "scopes": { "succeeded": ok, "failed": failed, "cancelled": count(&counts.cancelled) },
            "abandoned_requests": abandoned,
            "faults": story.faults,
            "most_files": story.most_files,
            "verdict": verdict,
        });
        println!("{report}");
        return;
    }
    let word = if verdict.flat { "flat" } else { "NOT FLAT" };
    println!(
        "{word} after {:?} and {} faults",
        options.span, story.faults
    );
    println!(
        "memory: {:.0} KiB, {:+.0} KiB a minute, {:+.0} KiB in the second half; requests that were left explain {:.0} of it",
        verdict.rss_kib_median,
        verdict.rss_kib_per_minute,
        verdict.rss_kib_growth,
        verdict.abandoned_kib
    );
    println!(
        "left at the end: {} files, {} tasks, {} leases, {} connections; most files {}",
        verdict.files_left,
        verdict.tasks_left,
        verdict.leases_left,
        verdict.connections_left,
        story.most_files
    );
    println!(
        "scopes: {ok} succeeded, {failed} failed, {} cancelled; {abandoned} requests were left before their reply",
        count(&counts.cancelled)
    );
}
