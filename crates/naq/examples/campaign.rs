//! An e-mail campaign: a first wave with two subject lines, the rest at a time, retries of 2, 4 and 8 seconds, bounces that are not
//! retried, so many mails a second, and no address twice.
//!
//! `cargo run --example campaign [seconds are divided by]` starts a server of its own; 20 by default, 1 for real waits.
#![expect(clippy::print_stdout, reason = "the table is the output")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use naq::embedded::EmbeddedServer;
use naq::{
    Job, JobContext, JobError, JobHandle, Jobs, Kind, QueueName, Rate, RetryPolicy, Settings,
    State, Status, Unique,
};
use serde::{Deserialize, Serialize};

const MAIL: Kind<Mail, ()> = Kind::new("mail").queue("campaign");

/// Addresses on the list.
const ADDRESSES: u32 = 120;
/// Addresses that are on the list a second time.
const TWICE: u32 = 15;
/// Those that get the first wave.
const WAVE: u32 = 20;
/// Mails that may be started in a second.
const PER_SECOND: u32 = 100;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Mail {
    number: u32,
    variant: char,
    subject: String,
}

/// When the post office was asked to deliver to an address: a stand-in for an SMTP server.
#[derive(Debug, Clone, Default)]
struct PostOffice(Arc<Mutex<BTreeMap<u32, Vec<Instant>>>>);

impl PostOffice {
    fn deliver(&self, mail: &Mail) -> Result<(), JobError> {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let times = asked.entry(mail.number).or_default();
        times.push(Instant::now());
        match mail.number % 20 {
            7 => Err(JobError::message("550 no such user").class("bounce")),
            13 => Err(JobError::discard("unsubscribed")),
            3 if times.len() <= 3 => Err(JobError::message("451 try again later").class("busy")),
            _ => Ok(()),
        }
    }
}

async fn send(_: JobContext, State(office): State<PostOffice>, mail: Mail) -> Result<(), JobError> {
    office.deliver(&mail)
}

/// What became of the mails of one variant.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) sent: u32,
    pub(crate) retries: u32,
    pub(crate) bounced: u32,
    pub(crate) unsubscribed: u32,
}

/// What became of the campaign.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) variants: BTreeMap<char, Counts>,
    /// Lines of the list whose address had its mail already.
    pub(crate) twice: usize,
    pub(crate) dead_letters: u64,
    /// From the enqueue of the second wave to its first mail.
    pub(crate) launched_after: Duration,
    /// From the same moment to the last mail's first try.
    pub(crate) all_tried_after: Duration,
    /// The waits of the mail that was tried most often.
    pub(crate) waits: Vec<Duration>,
}

/// The mail for an address. Its key makes it the only one of this campaign, also for who is on the list twice.
fn mail(number: u32, policy: &RetryPolicy) -> Result<Job<()>, Failure> {
    let variant = if number.is_multiple_of(2) { 'A' } else { 'B' };
    let subject = match variant {
        'A' => "Our autumn offers",
        _ => "Ten things you will like",
    };
    let mail = Mail {
        number,
        variant,
        subject: subject.to_owned(),
    };
    let key = format!("autumn/reader-{number}@example.org");
    let once = Unique::key(key).within(Duration::from_secs(3600));
    Ok(MAIL.job(&mail)?.unique(once).retry(policy.clone()))
}

/// Runs the campaign with all times divided by `factor`.
pub(crate) async fn run(factor: u32) -> Result<Report, Failure> {
    let server = EmbeddedServer::builder().start().await?;
    let mut settings = Settings::default();
    settings.nats.servers = vec![server.url()];
    let jobs = Jobs::connect(settings).await?;
    let rate = Rate::new(PER_SECOND, Duration::from_secs(1)).map(|rate| rate.burst(5));
    let queue = QueueName::new("campaign")?;
    jobs.controls()
        .limit_queue(&queue, |setting| setting.rate = rate)
        .await?;
    let office = PostOffice::default();
    let worker = jobs
        .worker()
        .concurrency(20)
        .state(office.clone())
        .handle(MAIL, send)
        .start()
        .await?;

    let policy = RetryPolicy::exponential(3, Duration::from_secs(2) / factor).ignore_on(["bounce"]);
    // The first wave goes out whole or not at all.
    let wave: Result<Vec<_>, _> = (0..WAVE).map(|n| mail(n, &policy)).collect();
    let mut mails = jobs.enqueue_all(wave?).await?;
    // The rest is due at a time, and in a bulk: a program that is killed here goes on where it was.
    let delay = Duration::from_secs(20) / factor;
    let enqueued = Instant::now();
    let rest = (WAVE..ADDRESSES).chain(0..TWICE);
    let rest: Result<Vec<_>, Failure> = rest.map(|n| Ok(mail(n, &policy)?.delay(delay))).collect();
    let mut bulk = jobs.bulk("autumn").await?;
    let from = bulk.position();
    for answer in bulk.push(rest?.into_iter().skip(from)).await? {
        mails.push(answer?);
    }

    let mut report = ended(&mails).await?;
    report.dead_letters = jobs.stock().await?.dead_letters;
    worker.stop(Duration::from_secs(10)).await;
    jobs.shutdown().await;
    server.stop().await?;
    measure(&mut report, &office, enqueued);
    Ok(report)
}

/// Waits for all of them, and counts.
async fn ended(mails: &[JobHandle<()>]) -> Result<Report, Failure> {
    let mut report = Report::default();
    let new = mails.iter().filter(|mail| !mail.is_existing());
    for (number, mail) in new.enumerate() {
        let outcome = mail.outcome(Duration::from_secs(120)).await?;
        let variant = if number.is_multiple_of(2) { 'A' } else { 'B' };
        let counts = report.variants.entry(variant).or_default();
        counts.retries += outcome.attempt - 1;
        match outcome.status {
            Status::Completed => counts.sent += 1,
            Status::Failed => counts.bounced += 1,
            Status::Cancelled => counts.unsubscribed += 1,
        }
    }
    report.twice = mails.iter().filter(|mail| mail.is_existing()).count();
    Ok(report)
}

/// Reads the times from the post office.
fn measure(report: &mut Report, office: &PostOffice, enqueued: Instant) {
    let asked = office.0.lock().unwrap_or_else(PoisonError::into_inner);
    let second = asked.range(WAVE..).filter_map(|(_, times)| times.first());
    if let (Some(first), Some(last)) = (second.clone().min(), second.max()) {
        report.launched_after = *first - enqueued;
        report.all_tried_after = *last - enqueued;
    }
    let most = asked.values().max_by_key(|times| times.len());
    let most = most.map_or(&[][..], Vec::as_slice);
    report.waits = most.windows(2).map(|pair| pair[1] - pair[0]).collect();
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let factor = std::env::args()
        .nth(1)
        .map_or(Ok(20), |text| text.parse())?;
    let report = run(factor).await?;
    println!("variant  sent  retries  bounced  unsubscribed");
    for (variant, counts) in &report.variants {
        println!(
            "{variant:<7}  {:>4}  {:>7}  {:>7}  {:>12}",
            counts.sent, counts.retries, counts.bounced, counts.unsubscribed
        );
    }
    println!(
        "{} lines of the list were there already, {} dead letters",
        report.twice, report.dead_letters
    );
    println!(
        "the second wave began after {:.2?}, all were tried after {:.2?}; waits of a busy address: {:.2?}",
        report.launched_after, report.all_tried_after, report.waits
    );
    Ok(())
}
