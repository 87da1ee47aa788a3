//! The breaker: on a paused clock, under many threads, and against a server that comes and goes.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use naq_connection::{BreakerError, CircuitBreaker, CircuitState, Retry, Retryable};
use tokio::sync::{Barrier, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, advance, timeout};

use crate::{SOON, setup};

#[derive(Debug, Clone, PartialEq, Eq)]
enum Failure {
    Network,
    Caller,
}

impl Retryable for Failure {
    fn is_transient(&self) -> bool {
        *self == Self::Network
    }
}

type Breaker = CircuitBreaker<Failure>;

const MINUTE: Duration = Duration::from_secs(60);

fn breaker() -> Breaker {
    CircuitBreaker::builder().build()
}

async fn fail(breaker: &Breaker) {
    let failing = breaker.call(async || Err::<Infallible, _>(Failure::Network));
    assert_eq!(failing.await, Err(BreakerError::Inner(Failure::Network)));
}

async fn succeed(breaker: &Breaker) {
    assert_eq!(breaker.call(async || Ok(())).await, Ok(()));
}

async fn assert_refused(breaker: &Breaker, retry_after: Duration) {
    let refused = breaker.call(async || -> Result<(), _> { panic!("the call was made") });
    assert_eq!(refused.await, Err(BreakerError::Open { retry_after }));
}

async fn opened() -> Breaker {
    let breaker = breaker();
    for _ in 0..5 {
        fail(&breaker).await;
    }
    assert_eq!(breaker.state(), CircuitState::Open);
    breaker
}

/// Half open, the probe on its way until the sender says how it ends.
async fn probing(
    breaker: &Breaker,
    tasks: &mut JoinSet<Result<(), BreakerError<Failure>>>,
) -> oneshot::Sender<Result<(), Failure>> {
    let (end, ended) = oneshot::channel();
    let (begun, begin) = oneshot::channel();
    let breaker = breaker.clone();
    tasks.spawn(async move {
        let call = breaker.call(async || {
            begun.send(()).unwrap();
            ended.await.unwrap()
        });
        call.await
    });
    begin.await.unwrap();
    end
}

#[test]
fn states_are_called_closed_open_and_half_open() {
    let states = [
        CircuitState::Closed,
        CircuitState::Open,
        CircuitState::HalfOpen,
    ];
    let names = states.map(|state| state.to_string());
    assert_eq!(names, ["closed", "open", "half_open"]);
}

#[tokio::test]
async fn arguments_pass_through_and_the_value_comes_back() {
    let breaker = breaker();
    let protected = async |a: &str, b: &str, keyword: &str| Ok(format!("{a} {b} {keyword}"));
    let value = breaker.call(async || protected("arg1", "arg2", "value").await);
    assert_eq!(value.await.unwrap(), "arg1 arg2 value");
}

#[tokio::test(start_paused = true)]
async fn five_failures_in_a_row_open_it_for_a_minute_and_the_sixth_call_is_not_made() {
    let breaker = breaker();
    assert_eq!(
        (breaker.state(), breaker.failure_count()),
        (CircuitState::Closed, 0)
    );
    for count in 1..=5 {
        fail(&breaker).await;
        assert_eq!(breaker.failure_count(), count);
    }
    assert_eq!(breaker.state(), CircuitState::Open);
    assert_refused(&breaker, MINUTE).await;
    advance(MINUTE - Duration::from_millis(1)).await;
    assert_refused(&breaker, Duration::from_millis(1)).await;
    advance(Duration::from_millis(1)).await;
    succeed(&breaker).await;
    assert_eq!(
        (breaker.state(), breaker.failure_count()),
        (CircuitState::Closed, 0)
    );
}

#[tokio::test]
async fn a_success_starts_the_count_anew() {
    let breaker = breaker();
    for _ in 0..3 {
        for _ in 0..4 {
            fail(&breaker).await;
        }
        succeed(&breaker).await;
        assert_eq!(breaker.failure_count(), 0);
    }
    assert_eq!(breaker.state(), CircuitState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_failed_probe_opens_it_again_and_the_timer_starts_anew() {
    let breaker = opened().await;
    advance(MINUTE * 2).await;
    fail(&breaker).await;
    assert_eq!(breaker.state(), CircuitState::Open);
    assert_refused(&breaker, MINUTE).await;
}

#[tokio::test]
async fn errors_of_the_caller_neither_open_it_nor_start_the_count_anew() {
    let breaker = breaker();
    for _ in 0..4 {
        fail(&breaker).await;
    }
    for _ in 0..100 {
        let call = breaker.call(async || Err::<(), _>(Failure::Caller));
        assert_eq!(call.await, Err(BreakerError::Inner(Failure::Caller)));
    }
    assert_eq!(
        (breaker.state(), breaker.failure_count()),
        (CircuitState::Closed, 4)
    );
    let all = CircuitBreaker::counting(|_: &&str| true)
        .failure_threshold(1)
        .build();
    assert!(all.call(async || Err::<(), _>("anything")).await.is_err());
    assert_eq!(all.state(), CircuitState::Open);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_proves_nothing_gives_its_place_to_the_next_call() {
    let breaker = opened().await;
    advance(MINUTE).await;
    let call = breaker.call(async || Err::<(), _>(Failure::Caller));
    assert_eq!(call.await, Err(BreakerError::Inner(Failure::Caller)));
    assert_eq!(breaker.state(), CircuitState::HalfOpen);
    succeed(&breaker).await;
    assert_eq!(breaker.state(), CircuitState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_probe_gives_its_place_to_the_next_call() {
    let breaker = opened().await;
    advance(MINUTE).await;
    let probe = breaker.call(async || pending::<Result<(), _>>().await);
    assert!(timeout(MINUTE, probe).await.is_err());
    assert_eq!(breaker.state(), CircuitState::HalfOpen);
    succeed(&breaker).await;
    assert_eq!(breaker.state(), CircuitState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_panicking_probe_gives_its_place_to_the_next_call() {
    let breaker = opened().await;
    advance(MINUTE).await;
    let mut tasks = JoinSet::new();
    let probe = breaker.clone();
    tasks.spawn(async move {
        let call = probe.call(async || -> Result<(), _> { panic!("as the test wants") });
        call.await
    });
    assert!(tasks.join_next().await.unwrap().unwrap_err().is_panic());
    assert_eq!(breaker.state(), CircuitState::HalfOpen);
    succeed(&breaker).await;
    assert_eq!(breaker.state(), CircuitState::Closed);
}

#[tokio::test(start_paused = true)]
async fn calls_that_began_before_the_opening_neither_close_nor_extend_it() {
    let breaker = breaker();
    let mut tasks = JoinSet::new();
    let good = probing(&breaker, &mut tasks).await;
    let bad = probing(&breaker, &mut tasks).await;
    for _ in 0..5 {
        fail(&breaker).await;
    }
    advance(MINUTE / 2).await;
    good.send(Ok(())).unwrap();
    tasks.join_next().await.unwrap().unwrap().unwrap();
    bad.send(Err(Failure::Network)).unwrap();
    tasks.join_next().await.unwrap().unwrap().unwrap_err();
    assert_eq!(breaker.state(), CircuitState::Open);
    assert_refused(&breaker, MINUTE / 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_reset_closes_it_and_the_probe_on_its_way_does_not_count() {
    let breaker = opened().await;
    advance(MINUTE).await;
    let mut tasks = JoinSet::new();
    let end = probing(&breaker, &mut tasks).await;
    assert_refused(&breaker, Duration::ZERO).await;
    breaker.reset();
    end.send(Err(Failure::Network)).unwrap();
    tasks.join_next().await.unwrap().unwrap().unwrap_err();
    assert_eq!(
        (breaker.state(), breaker.failure_count()),
        (CircuitState::Closed, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_retry_stops_at_an_open_breaker() {
    let breaker = breaker();
    let started = Instant::now();
    let policy = Retry::new(100).delay(Duration::ZERO);
    let made = AtomicU32::new(0);
    let outcome = policy.run(async || {
        let call = breaker.call(async || {
            made.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(Failure::Network)
        });
        call.await
    });
    let refused = outcome.await.unwrap_err();
    assert!(matches!(refused, BreakerError::Open { .. }), "{refused:?}");
    assert_eq!(made.load(Ordering::Relaxed), 5);
    assert!(started.elapsed() < MINUTE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_thousand_concurrent_calls_one_is_the_probe() {
    for _ in 0..20 {
        let breaker = CircuitBreaker::<Failure>::builder()
            .failure_threshold(1)
            .recovery_timeout(Duration::ZERO)
            .build();
        fail(&breaker).await;
        // All set out together, and the probe ends when all others have been refused.
        let (set_out, probes) = (Arc::new(Barrier::new(1000)), Arc::new(AtomicU32::new(0)));
        let refused = Arc::new(tokio::sync::Semaphore::new(0));
        let mut tasks = JoinSet::new();
        for _ in 0..1000 {
            let (breaker, set_out) = (breaker.clone(), Arc::clone(&set_out));
            let (probes, refused) = (Arc::clone(&probes), Arc::clone(&refused));
            tasks.spawn(async move {
                set_out.wait().await;
                let call = breaker.call(async || {
                    probes.fetch_add(1, Ordering::Relaxed);
                    let _all = refused.acquire_many(999).await.unwrap();
                    Ok(())
                });
                match call.await {
                    Ok(()) => {}
                    Err(BreakerError::Open { retry_after }) => {
                        assert_eq!(retry_after, Duration::ZERO);
                        refused.add_permits(1);
                    }
                    Err(error @ BreakerError::Inner(_)) => panic!("{error:?}"),
                }
            });
        }
        timeout(SOON * 4, tasks.join_all()).await.unwrap();
        assert_eq!(probes.load(Ordering::Relaxed), 1);
        assert_eq!(breaker.state(), CircuitState::Closed);
    }
}

#[tokio::test]
async fn a_health_gated_publish_is_refused_and_says_so_until_the_server_is_back() {
    let (server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    let mut responder = connection.subscribe("orders").await.unwrap();
    connection.flush_confirmed().await.unwrap();
    let breaker = CircuitBreaker::builder().failure_threshold(3).build();
    let made = AtomicU32::new(0);
    let publish = async || {
        let call = breaker.call(async || {
            made.fetch_add(1, Ordering::Relaxed);
            connection
                .flush_confirmed_within(Duration::from_millis(100))
                .await?;
            connection.publish("orders", "new").await?;
            connection.flush_confirmed().await
        });
        call.await
    };
    publish().await.unwrap();

    server.kill().await;
    for _ in 0..3 {
        let error = publish().await.unwrap_err().into_inner().unwrap();
        assert!(error.is_transient(), "{error}");
    }
    assert_eq!(breaker.state(), CircuitState::Open);
    for _ in 0..100 {
        let refused = publish().await.unwrap_err();
        assert!(matches!(refused, BreakerError::Open { .. }), "{refused}");
    }
    assert_eq!(made.load(Ordering::Relaxed), 4, "a refused call was made");

    server.restart().await;
    let mut states = connection.states();
    let back = states.wait_for(|state| state.is_connected());
    timeout(SOON, back).await.unwrap().unwrap();
    tokio::time::pause();
    advance(MINUTE).await;
    tokio::time::resume();
    let together = futures::future::join_all((0..10).map(|_| publish())).await;
    let passed = together.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!((passed, breaker.state()), (1, CircuitState::Closed));
    assert_eq!(made.load(Ordering::Relaxed), 5, "one probe");
    for _ in 0..2 {
        let message = timeout(SOON, responder.next()).await.unwrap().unwrap();
        assert_eq!(message.payload, "new");
    }
}
