//! The examples, run with sizes that suit a test.
#![expect(clippy::unwrap_used, reason = "in a test a failure is a panic")]

#[path = "../../examples/campaign.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod campaign;
#[path = "../../examples/cron_reports.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod cron_reports;
#[path = "../../examples/images.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod images;
#[path = "../../examples/web/main.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod web;
#[path = "../../examples/workflow_etl.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod workflow_etl;
#[path = "../../examples/workflow_fan_out.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod workflow_fan_out;
#[path = "../../examples/workflow_saga.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod workflow_saga;

mod browser;

use std::time::Duration;

use naq::Status;
use serde_json::Value;

#[tokio::test]
async fn the_etl_reports_what_it_has_loaded() {
    let (said, ran) = workflow_etl::run().await.unwrap();
    assert_eq!(said, "done: 2070 rows loaded, 2070 archived");
    assert_eq!(ran.len(), 11);
    let path = ran.iter().filter(|job| job.is_on_path);
    let path: Vec<&str> = path.map(|job| job.name.as_str()).collect();
    assert_eq!(path.len(), 6, "{path:?}");
    assert_eq!(
        (path[2], path[4..].join(" ").as_str()),
        ("validate", "report notify")
    );
}

#[tokio::test]
async fn the_saga_undoes_what_was_done() {
    let (status, steps) = workflow_saga::run("ship").await.unwrap();
    assert_eq!(status, Status::Failed);
    assert_eq!(steps, ["reserve", "charge", "refund", "release", "tell"]);
    let (_, steps) = workflow_saga::run("charge").await.unwrap();
    assert_eq!(steps, ["reserve", "release", "tell"]);
    let (status, steps) = workflow_saga::run("nothing").await.unwrap();
    assert_eq!(status, Status::Completed);
    assert_eq!(steps, ["reserve", "charge", "ship", "tell"]);
}

#[tokio::test]
async fn the_fan_out_joins_all_its_pieces() {
    let pieces = workflow_fan_out::pieces(10_000).unwrap();
    let sum = workflow_fan_out::run(pieces).await.unwrap();
    assert_eq!(sum, pieces * (pieces - 1));
}

fn field(json: &str, name: &str) -> Value {
    serde_json::from_str::<Value>(json).unwrap()[name].clone()
}

/// Uploads a table; the path of its report.
async fn upload(service: &web::Service, table: &str) -> String {
    let made = web::ask(service.web.address, "POST", "/reports", table).await;
    let (code, made) = made.unwrap();
    assert_eq!(code, 202, "{made}");
    format!("/reports/{}", field(&made, "id").as_str().unwrap())
}

#[tokio::test]
async fn a_report_is_made_over_http_watched_until_its_end_and_downloaded() {
    let service = web::Service::start().await.unwrap();
    let address = service.web.address;
    let table: Vec<String> = (1..=10).map(|n| format!("row {n},{n}")).collect();
    let path = upload(&service, &table.join("\n")).await;
    let (code, _) = web::ask(address, "GET", &format!("{path}/file"), "")
        .await
        .unwrap();
    assert_eq!(code, 404);
    let events = web::listen(address, &format!("{path}/events"))
        .await
        .unwrap();
    let (end, progress) = events.split_last().unwrap();
    assert_eq!(end.0, "completed");
    let done: Vec<_> = progress
        .iter()
        .map(|(_, data)| field(data, "done").as_u64())
        .collect();
    assert!(
        progress.iter().all(|(name, _)| name == "progress") && done.len() >= 3,
        "{events:?}"
    );
    assert!(done.is_sorted(), "{done:?}");
    let (_, status) = web::ask(address, "GET", &path, "").await.unwrap();
    assert_eq!(field(&status, "status"), "completed");
    let (code, file) = web::ask(address, "GET", &format!("{path}/file"), "")
        .await
        .unwrap();
    assert_eq!((code, file.as_str()), (200, "lines,sum\n10,55\n"));

    let path = upload(&service, "Ada,three").await;
    let events = web::listen(address, &format!("{path}/events"))
        .await
        .unwrap();
    let (end, data) = events.last().unwrap();
    assert_eq!(end, "failed");
    assert!(data.contains("invalid digit"), "{data}");
    let (_, status) = web::ask(address, "GET", &path, "").await.unwrap();
    assert_eq!(field(&status, "status"), "failed");
    let (code, _) = web::ask(address, "GET", "/reports/nosuch/events", "")
        .await
        .unwrap();
    assert_eq!(code, 404);
    let (_, page) = web::ask(address, "GET", "/", "").await.unwrap();
    assert!(page.contains("page.js"));
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_report_is_cancelled_over_http_and_a_webhook_that_comes_twice_is_one_job() {
    let service = web::Service::start().await.unwrap();
    let address = service.web.address;
    // Would take a minute.
    let path = upload(&service, &"row,1\n".repeat(300)).await;
    let events = format!("{path}/events");
    let (events, cancelled) = tokio::join!(
        web::listen(address, &events),
        web::ask(address, "DELETE", &path, "")
    );
    assert_eq!(field(&cancelled.unwrap().1, "cancelled"), true);
    assert_eq!(events.unwrap().last().unwrap().0, "cancelled");
    let (_, status) = web::ask(address, "GET", &path, "").await.unwrap();
    assert_eq!(field(&status, "status"), "cancelled");

    let told = r#"{"id":"pay-1","cents":1999}"#;
    let (_, first) = web::ask(address, "POST", "/hooks/payment", told)
        .await
        .unwrap();
    let (_, again) = web::ask(address, "POST", "/hooks/payment", told)
        .await
        .unwrap();
    assert_eq!(
        (field(&first, "is_new"), field(&again, "is_new")),
        (true.into(), false.into())
    );
    assert_eq!(field(&first, "id"), field(&again, "id"));
    service.stop().await.unwrap();
}

#[tokio::test]
async fn the_campaign_sends_each_mail_once_at_its_time_and_rate() {
    let report = campaign::run(20).await.unwrap();
    // 120 addresses; of each 20 one is busy three times, one bounces, one has unsubscribed, all of them with odd numbers.
    let (a, b) = (&report.variants[&'A'], &report.variants[&'B']);
    assert_eq!(
        (a.sent, a.retries, a.bounced, a.unsubscribed),
        (60, 0, 0, 0)
    );
    assert_eq!(
        (b.sent, b.retries, b.bounced, b.unsubscribed),
        (48, 18, 6, 6)
    );
    assert_eq!((report.twice, report.dead_letters), (15, 6));
    assert!(
        report.launched_after >= Duration::from_secs(1),
        "{report:?}"
    );
    // 100 mails, 100 a second, 5 of which may come together.
    assert!(
        report.all_tried_after >= Duration::from_millis(1900),
        "{report:?}"
    );
    let waits = report.waits.iter().zip([100, 200, 400]);
    assert!(
        report.waits.len() == 3
            && waits
                .clone()
                .all(|(wait, ms)| *wait >= Duration::from_millis(ms)),
        "{report:?}"
    );
}

#[tokio::test]
async fn pictures_larger_than_a_message_come_through_the_pipeline_unharmed() {
    let (done, error) = images::run(3).await.unwrap();
    assert_eq!(done.len(), 3);
    for picture in done {
        let is_large = picture.sent > 1024 * 1024 && picture.stored > 1024 * 1024;
        assert!(is_large && picture.is_right, "{picture:?}");
        assert_eq!(picture.thumbnail, 100 * 75 * 4, "{picture:?}");
    }
    assert_eq!(error, "fatal: 9 bytes are no 800 x 600");
}

#[tokio::test]
async fn reports_in_three_zones_are_due_at_their_local_times_and_made_when_triggered() {
    let spring = std::time::UNIX_EPOCH + Duration::from_secs(1_772_755_200);
    let expected = "\
2026-03-06T03:15:00Z  Fri 06 Mar 09:00 +05:45  kathmandu
2026-03-06T07:30:00Z  Fri 06 Mar 02:30 -05:00  new-york
2026-03-06T08:00:00Z  Fri 06 Mar 09:00 +01:00  amsterdam
2026-03-07T07:30:00Z  Sat 07 Mar 02:30 -05:00  new-york
2026-03-08T03:15:00Z  Sun 08 Mar 09:00 +05:45  kathmandu
2026-03-08T07:00:00Z  Sun 08 Mar 03:00 -04:00  new-york    the clock skips this time: at the end of the gap
2026-03-09T03:15:00Z  Mon 09 Mar 09:00 +05:45  kathmandu
2026-03-09T08:00:00Z  Mon 09 Mar 09:00 +01:00  amsterdam
2026-03-10T08:00:00Z  Tue 10 Mar 09:00 +01:00  amsterdam";
    assert_eq!(cron_reports::calendar(spring, 3).unwrap(), expected);
    let said = cron_reports::run().await.unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    for (line, (office, ..)) in lines.iter().zip(cron_reports::OFFICES) {
        let starts = format!("report-{office}: sales of {office} up to ");
        assert!(line.starts_with(&starts), "{said}");
    }
}
