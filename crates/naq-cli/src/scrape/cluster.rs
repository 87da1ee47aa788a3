//! The numbers of the whole system, asked of the server at each scrape.

use std::fmt::Write;
use std::time::SystemTime;

use naq::{Jobs, JobsError, QueueInfo, StatsBy, StatsRow, WorkerInfo, WorkerStatus};

/// The page; `naq_up` says whether the server answered.
pub(crate) async fn cluster_page(jobs: Jobs) -> String {
    let mut page = Page(String::new());
    match read(&jobs).await {
        Ok((queues, workers, hours)) => {
            page.one("naq_up", "Whether the server answered.", 1.0);
            of_queues(&mut page, &queues);
            of_hours(&mut page, &hours);
            of_workers(&mut page, &workers);
        }
        Err(error) => {
            tracing::warn!(%error, "nothing can be told");
            page.one("naq_up", "Whether the server answered.", 0.0);
        }
    }
    page.0
}

/// Hours that the share of failures is taken over: the present one alone may have just begun.
const HOURS: u32 = 2;

async fn read(jobs: &Jobs) -> Result<(Vec<QueueInfo>, Vec<WorkerInfo>, Vec<StatsRow>), JobsError> {
    let queues = Box::pin(jobs.queues()).await?;
    let stats = jobs.events().stats(HOURS, &[StatsBy::Queue]).await?;
    Ok((queues, jobs.workers().await?, stats.rows))
}

type Reading = fn(&QueueInfo) -> u64;

const OF_QUEUES: [(&str, &str, Reading); 8] = [
    ("naq_queue_waiting", "Jobs that wait for a worker.", |q| {
        q.waiting
    }),
    ("naq_queue_running", "Jobs that workers have.", |q| {
        q.in_flight
    }),
    ("naq_queue_scheduled", "Jobs that are due later.", |q| {
        q.scheduled
    }),
    ("naq_queue_parked", "Jobs that were put aside.", |q| {
        q.parked
    }),
    ("naq_queue_dead_letters", "Dead letters.", |q| q.dead),
    ("naq_queue_workers", "Workers that serve the queue.", |q| {
        q.workers.into()
    }),
    ("naq_queue_paused", "Whether nothing is delivered.", |q| {
        q.is_paused.into()
    }),
    (
        "naq_queue_oldest_seconds",
        "Age of the oldest waiting job.",
        oldest,
    ),
];

fn of_queues(page: &mut Page, queues: &[QueueInfo]) {
    for (name, help, read) in OF_QUEUES {
        page.head(name, help, "gauge");
        for queue in queues {
            page.of_queue(name, queue, read(queue));
        }
    }
    let name = "naq_queue_settled_total";
    page.head(name, "Deliveries that are over.", "counter");
    for queue in queues {
        page.of_queue(name, queue, queue.settled);
    }
}

fn of_hours(page: &mut Page, rows: &[StatsRow]) {
    let name = "naq_queue_failure_ratio";
    let help = "Share of failed jobs among those that ended in this hour and the last.";
    page.head(name, help, "gauge");
    for row in rows {
        if let (Some(queue), Some(rate)) = (&row.queue, row.failure_rate()) {
            page.line(format_args!("{name}{{queue=\"{queue}\"}} {rate}"));
        }
    }
}

fn of_workers(page: &mut Page, workers: &[WorkerInfo]) {
    let name = "naq_workers";
    page.head(name, "Live workers.", "gauge");
    for status in [
        WorkerStatus::Idle,
        WorkerStatus::Busy,
        WorkerStatus::Stopping,
    ] {
        let count = workers
            .iter()
            .filter(|worker| worker.record.status == status)
            .count();
        page.line(format_args!("{name}{{status=\"{status}\"}} {count}"));
    }
    let slots: u64 = workers
        .iter()
        .map(|w| u64::from(w.record.concurrency))
        .sum();
    let busy: usize = workers.iter().map(|w| w.record.running.len()).sum();
    page.head(
        "naq_slots",
        "Jobs that all workers may run at the same time.",
        "gauge",
    );
    page.line(format_args!("naq_slots {slots}"));
    page.head("naq_slots_busy", "Jobs that all workers run.", "gauge");
    page.line(format_args!("naq_slots_busy {busy}"));
}

fn oldest(queue: &QueueInfo) -> u64 {
    let since = queue
        .oldest_waiting
        .map(|at| SystemTime::now().duration_since(at));
    since.and_then(Result::ok).unwrap_or_default().as_secs()
}

/// The text form of Prometheus. Names of queues have no character that has to be escaped.
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, help: &str, kind: &str) {
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    fn one(&mut self, name: &str, help: &str, value: f64) {
        self.head(name, help, "gauge");
        self.line(format_args!("{name} {value}"));
    }

    fn of_queue(&mut self, name: &str, queue: &QueueInfo, value: u64) {
        self.line(format_args!("{name}{{queue=\"{}\"}} {value}", queue.name));
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ignored = writeln!(self.0, "{text}");
    }
}
