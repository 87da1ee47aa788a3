//! Reports at nine in the morning in three zones: when they are due, with the changes of the clocks marked, and the reports of
//! today, made at once.
//!
//! `cargo run --example cron_reports` starts a server of its own. The first table is computed from a day in spring, so that it
//! shows New York change its clocks; the schedules themselves are real, and triggered by hand.
#![expect(clippy::print_stdout, reason = "the tables are the output")]

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use naq::embedded::EmbeddedServer;
use naq::{DstMark, JobContext, JobError, Jobs, Kind, Overlap, Settings, Timetable};

/// Makes the report of an office.
const REPORT: Kind<String, String> = Kind::new("report").queue("reports");

/// Offices, their zones, and when each wants its report. The one in New York wants it in the night in which the clocks change.
pub(crate) const OFFICES: [(&str, &str, &str); 3] = [
    ("amsterdam", "Europe/Amsterdam", "0 9 * * mon-fri"),
    ("new-york", "America/New_York", "30 2 * * *"),
    ("kathmandu", "Asia/Kathmandu", "0 9 * * sun-fri"),
];

/// 2026-03-06, a Friday; two days later New York goes from 02:00 to 03:00.
const IN_SPRING: u64 = 1_772_755_200;

type Failure = Box<dyn std::error::Error>;

/// The next firings of all offices after a moment, one line each, the earliest first.
pub(crate) fn calendar(after: SystemTime, each: usize) -> Result<String, Failure> {
    let mut lines = Vec::new();
    for (office, zone, cron) in OFFICES {
        let table = Timetable::cron(cron)?.zone(zone)?;
        for firing in table.firings_after(after).take(each) {
            let at = jiff::Timestamp::try_from(firing.time())?;
            let mark = match firing.mark() {
                DstMark::MadeUp => "  the clock skips this time: at the end of the gap",
                DstMark::FirstPass => "  the clock shows this time twice: the first one",
                _ => "",
            };
            let local = at.in_tz(zone)?.strftime("%a %d %b %H:%M %:z");
            lines.push((at, format!("{at}  {local}  {office:<10}{mark}")));
        }
    }
    lines.sort();
    let lines: Vec<String> = lines
        .into_iter()
        .map(|(_, line)| line.trim_end().to_owned())
        .collect();
    Ok(lines.join("\n"))
}

async fn report(context: JobContext, office: String) -> Result<String, JobError> {
    let due = context.instant().map(jiff::Timestamp::try_from);
    let due = due.transpose()?.unwrap_or_default();
    Ok(format!(
        "sales of {office} up to {}",
        due.strftime("%d %b %Y")
    ))
}

/// Creates the schedules, makes each report once by hand, and says what came of it.
pub(crate) async fn run() -> Result<String, Failure> {
    let server = EmbeddedServer::builder().start().await?;
    let mut settings = Settings::default();
    settings.nats.servers = vec![server.url()];
    let jobs = Jobs::connect(settings).await?;
    let worker = jobs.worker().handle(REPORT, report).start().await?;
    let mut said = String::new();
    for (office, zone, cron) in OFFICES {
        let job = REPORT
            .job(&office.to_owned())?
            .expires_in(Duration::from_secs(3600));
        let new = jobs.schedule(job).cron(cron).zone(zone);
        // A report that takes longer than a day is not made twice at once.
        let made = new
            .overlap(Overlap::Queue)
            .create(format!("report-{office}"))
            .await?;
        let id = jobs.schedules().trigger(made.name()).await?;
        let outcome = jobs.results().wait(&id, Duration::from_secs(30)).await?;
        writeln!(
            said,
            "{}: {}",
            made.name(),
            outcome.into_result::<String>()?
        )?;
    }
    worker.stop(Duration::from_secs(5)).await;
    jobs.shutdown().await;
    server.stop().await?;
    Ok(said)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let spring = UNIX_EPOCH + Duration::from_secs(IN_SPRING);
    println!(
        "from {}:\n{}\n",
        jiff::Timestamp::try_from(spring)?,
        calendar(spring, 4)?
    );
    println!("from now:\n{}\n", calendar(SystemTime::now(), 2)?);
    print!("{}", run().await?);
    Ok(())
}
