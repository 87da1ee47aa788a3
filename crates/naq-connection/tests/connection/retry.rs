//! Retries: on a paused clock, and against a server that comes and goes.

use std::cell::Cell;
use std::future::{pending, ready};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::stream::Config;
use naq_connection::{Connection, ConnectionError, ConnectionErrorKind};
use naq_connection::{Retry, RetryBudget, Retryable};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::{SOON, setup, until};

#[derive(Debug, PartialEq)]
enum Failure {
    Passing(u32),
    Lasting,
}

impl Retryable for Failure {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Passing(_))
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// Calls so far, with the time of each.
#[derive(Default)]
struct Calls(Cell<Vec<Instant>>);

impl Calls {
    fn count(&self) -> u32 {
        let mut times = self.0.take();
        times.push(Instant::now());
        let count = u32::try_from(times.len()).unwrap();
        self.0.set(times);
        count
    }

    fn pauses(&self) -> Vec<Duration> {
        let times = self.0.take();
        times.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn two_failures_and_a_success_are_three_calls_with_pauses_of_one_and_two_seconds() {
    let calls = Calls::default();
    let policy = Retry::new(3).jitter(false);
    let outcome = policy.run(async || match calls.count() {
        call @ 1..=2 => Err(Failure::Passing(call)),
        call => Ok(call),
    });
    assert_eq!(outcome.await, Ok(3));
    assert_eq!(calls.pauses(), [SECOND, SECOND * 2]);
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_always_fails_is_called_four_times_and_its_last_error_comes_back() {
    let calls = Calls::default();
    let policy = Retry::new(3).jitter(false);
    let outcome: Result<(), _> = policy
        .run(async || Err(Failure::Passing(calls.count())))
        .await;
    assert_eq!(outcome, Err(Failure::Passing(4)));
    assert_eq!(calls.pauses(), [SECOND, SECOND * 2, SECOND * 4]);
}

#[tokio::test(start_paused = true)]
async fn an_error_that_lasts_is_called_once() {
    let calls = Calls::default();
    let operation = async || {
        calls.count();
        Err::<(), _>(Failure::Lasting)
    };
    assert_eq!(Retry::new(3).run(operation).await, Err(Failure::Lasting));
    assert!(calls.pauses().is_empty());
}

#[tokio::test(start_paused = true)]
async fn with_jitter_no_pause_is_longer_than_its_delay() {
    let calls = Calls::default();
    let policy = Retry::new(8).max_delay(SECOND * 4);
    let outcome: Result<(), _> = policy
        .run(async || Err(Failure::Passing(calls.count())))
        .await;
    assert_eq!(outcome, Err(Failure::Passing(9)));
    for (step, pause) in (0..).zip(calls.pauses()) {
        let delay = SECOND.saturating_mul(1 << step).min(SECOND * 4);
        // The timer rounds up to a millisecond.
        assert!(
            pause <= delay + Duration::from_millis(1),
            "{step}: {pause:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_of_the_callers_decides_for_errors_of_any_type() {
    let calls = Calls::default();
    let policy = Retry::new(9).when(|error: &String| error != "3");
    let outcome: Result<(), _> = policy.run(async || Err(calls.count().to_string())).await;
    assert_eq!(outcome, Err("3".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn no_attempt_starts_after_the_deadline_and_none_is_waited_for_in_vain() {
    let calls = Calls::default();
    let started = Instant::now();
    let policy = Retry::new(100).jitter(false).deadline(SECOND * 10);
    let outcome: Result<(), _> = policy
        .run(async || Err(Failure::Passing(calls.count())))
        .await;
    assert_eq!(outcome, Err(Failure::Passing(4)));
    assert_eq!(
        started.elapsed(),
        SECOND * 7,
        "the next would start at 15 s"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_makes_no_further_call() {
    let calls = Calls::default();
    let policy = Retry::new(100).jitter(false);
    let run = policy.run(async || Err::<(), _>(Failure::Passing(calls.count())));
    assert!(timeout(SECOND * 2, run).await.is_err());
    tokio::time::advance(SECOND * 1000).await;
    assert_eq!(calls.pauses(), [SECOND]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_cancelled_drops_what_it_holds() {
    let held = std::sync::Arc::new(());
    let policy = Retry::new(3);
    let run = policy.run(async || {
        let _held = held.clone();
        pending::<Result<(), Failure>>().await
    });
    assert!(timeout(SECOND, run).await.is_err());
    assert_eq!(std::sync::Arc::strong_count(&held), 1);
}

#[tokio::test(start_paused = true)]
async fn a_spent_budget_stops_the_retries_of_all_who_share_it() {
    let budget = RetryBudget::new(0.1, 0.0);
    let policy = Retry::new(3).delay(Duration::ZERO).budget(&budget);
    let mut calls = 0_u32;
    for _ in 0..1000 {
        let failing = policy.run(|| {
            calls += 1;
            ready(Err::<(), _>(Failure::Passing(calls)))
        });
        assert_eq!(failing.await, Err(Failure::Passing(calls)));
    }
    // Without the budget it were 4000: 1000 calls, a tenth of them again, and the burst.
    assert!((1100..=1110).contains(&calls), "{calls}");
}

#[tokio::test(start_paused = true)]
async fn a_run_can_be_spawned() {
    let mut tasks = JoinSet::new();
    let policy = Retry::new(1).budget(&RetryBudget::default());
    tasks.spawn(async move {
        let words = ["a".to_owned()];
        let run = policy.run(async || match words.first() {
            Some(word) => Ok(word.clone()),
            None => Err(Failure::Lasting),
        });
        run.await
    });
    assert_eq!(
        tasks.join_next().await.unwrap().unwrap(),
        Ok("a".to_owned())
    );
}

async fn make_stream(connection: &Connection) {
    let config = Config {
        name: "S".to_owned(),
        subjects: vec!["jobs.>".to_owned()],
        ..Config::default()
    };
    connection.jetstream().create_stream(config).await.unwrap();
}

async fn stored(connection: &Connection) -> u64 {
    let mut stream = connection.jetstream().get_stream("S").await.unwrap();
    stream.info().await.unwrap().state.messages
}

fn message_id() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", "1");
    headers
}

const SHORT: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_publish_succeeds_when_the_server_is_restarted_between_the_attempts() {
    let (server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    make_stream(&connection).await;
    server.kill().await;
    until("the loss is noticed", async || {
        !connection.state().is_connected()
    })
    .await;
    let calls = Calls::default();
    let policy = Retry::new(3).delay(Duration::from_millis(10));
    let publish = policy.run(async || {
        let call = calls.count();
        let within = if call == 1 { SHORT } else { SOON };
        if call == 2 {
            server.restart().await;
        }
        connection
            .publish_acked_within("jobs.a", message_id(), "x", within)
            .await
    });
    let ack = publish.await.unwrap();
    assert!(!ack.duplicate);
    assert_eq!((calls.pauses().len(), stored(&connection).await), (1, 1));
}

#[tokio::test]
async fn a_publish_whose_acknowledgement_was_lost_is_stored_once_by_its_message_id() {
    let (server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    make_stream(&connection).await;
    let calls = Calls::default();
    let policy = Retry::new(3)
        .delay(Duration::from_millis(10))
        .at_least_once();
    let publish = policy.run(async || {
        let call = calls.count();
        if call == 1 {
            // Stored, and nobody was told.
            connection
                .publish_with_headers("jobs.a", message_id(), "x")
                .await?;
            until("it is stored", async || stored(&connection).await == 1).await;
            server.kill().await;
        } else {
            server.restart().await;
        }
        let within = if call == 1 { SHORT } else { SOON };
        connection
            .publish_acked_within("jobs.a", message_id(), "x", within)
            .await
    });
    let ack = publish.await.unwrap();
    assert!(ack.duplicate);
    assert_eq!((calls.pauses().len(), stored(&connection).await), (1, 1));
}

#[tokio::test]
async fn a_lost_acknowledgement_is_not_repeated_unless_asked_for() {
    let (_server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    // A stream that listens and does not acknowledge.
    let _silent = connection.subscribe("jobs").await.unwrap();
    for (policy, expected) in [(Retry::new(1), 1), (Retry::new(1).at_least_once(), 2)] {
        let calls = Calls::default();
        let policy = policy.delay(Duration::ZERO);
        let run = policy.run(async || {
            calls.count();
            connection
                .publish_acked_within("jobs", HeaderMap::new(), "x", SHORT)
                .await
        });
        let error = run.await.unwrap_err();
        assert_eq!(*error.kind(), ConnectionErrorKind::OutcomeUnknown);
        assert_eq!(calls.pauses().len() + 1, expected);
    }
}

#[tokio::test]
async fn a_batch_goes_on_after_one_item_fails_on_one_connection() {
    let (server, service) = setup().await;
    let mut outcomes = Vec::new();
    for item in 1..=10 {
        let subject = if item == 4 { "not valid" } else { "batch" };
        let policy = Retry::new(3);
        let publish = policy.run(async || {
            let connection = service.connection().await?;
            connection.publish(subject, item.to_string()).await?;
            connection.flush_confirmed().await
        });
        outcomes.push(
            publish
                .await
                .map_err(|error: ConnectionError| error.kind().clone()),
        );
    }
    let failed = outcomes.remove(3).unwrap_err();
    assert_eq!(failed, ConnectionErrorKind::InvalidSubject);
    assert!(outcomes.len() == 9 && outcomes.iter().all(Result::is_ok));
    assert_eq!(server.total_connects().await, 1);
}
