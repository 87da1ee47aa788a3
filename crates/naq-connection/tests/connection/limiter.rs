//! Limits that are shared.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use naq_connection::{ConnectionLimiter, Limiters};
use tokio::sync::Barrier;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, timeout};

use crate::{PROMPT, SOON, setup, until};

/// Counts who is inside, and the most that ever were.
#[derive(Default)]
struct Crowd {
    now: AtomicUsize,
    peak: AtomicUsize,
}

impl Crowd {
    async fn inside<T>(&self, work: impl Future<Output = T>) -> T {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(now, Ordering::SeqCst);
        let done = work.await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        done
    }

    fn peak(&self) -> usize {
        self.peak.load(Ordering::SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_users_of_one_limiter_of_five_are_five_at_a_time() {
    let (server, service) = setup().await;
    let limiter = ConnectionLimiter::new(5);
    let crowd = Arc::new(Crowd::default());
    let leased = Arc::new(AtomicUsize::new(0));
    // Nobody leaves before five are there: fewer than five at a time would never end.
    let five = Arc::new(Barrier::new(5));
    let mut users = JoinSet::new();
    for _ in 0..100 {
        let (limiter, service) = (limiter.clone(), service.clone());
        let (crowd, leased, five) = (crowd.clone(), leased.clone(), five.clone());
        users.spawn(async move {
            let _permit = limiter.acquire().await;
            let work = async {
                let connection = service.connection().await.unwrap();
                five.wait().await;
                leased.fetch_max(service.leases(), Ordering::SeqCst);
                connection.publish("work", "x").await.unwrap();
                connection.flush_confirmed().await.unwrap();
            };
            crowd.inside(work).await;
        });
    }
    let all = async { while users.join_next().await.transpose().unwrap().is_some() {} };
    timeout(SOON * 2, all).await.unwrap();
    assert_eq!((crowd.peak(), leased.load(Ordering::SeqCst)), (5, 5));
    assert_eq!((limiter.available(), service.leases()), (5, 0));
    assert_eq!(server.total_connects().await, 1);
}

#[tokio::test]
async fn places_are_given_in_the_order_of_asking() {
    let limiter = ConnectionLimiter::new(3);
    let mut order = Vec::new();
    let served = std::sync::Mutex::new(&mut order);
    let users = (0..200).map(|n| {
        let (limiter, served) = (&limiter, &served);
        async move {
            let _permit = limiter.acquire().await;
            served.lock().unwrap().push(n);
            yield_now().await;
        }
    });
    join_all(users).await;
    assert!(order.is_sorted(), "{order:?}");
}

#[tokio::test]
async fn who_comes_again_and_again_overtakes_nobody() {
    let limiter = ConnectionLimiter::new(1);
    let held = limiter.acquire().await;
    let mut patient = std::pin::pin!(limiter.acquire());
    assert!(futures::poll!(patient.as_mut()).is_pending());
    drop(held);
    assert!(limiter.try_acquire().is_err(), "the place has an owner");
    let mut greedy = std::pin::pin!(limiter.acquire());
    assert!(futures::poll!(greedy.as_mut()).is_pending());
    assert!(futures::poll!(patient.as_mut()).is_ready());
}

async fn leave(limiter: ConnectionLimiter, way: usize) -> Result<(), &'static str> {
    let _permit = limiter.acquire().await;
    match way {
        0 => Ok(()),
        1 => Err("as planned"),
        // As `panic!`, without its message.
        2 => std::panic::resume_unwind(Box::new("as planned")),
        _ => std::future::pending().await,
    }
}

#[tokio::test]
async fn the_place_comes_back_on_success_error_panic_and_cancellation() {
    let limiter = ConnectionLimiter::new(4);
    for way in 0..4 {
        let mut users = JoinSet::new();
        for _ in 0..20 {
            users.spawn(leave(limiter.clone(), way));
        }
        if way == 3 {
            until("all places are taken", async || limiter.available() == 0).await;
            // Those who hold a place and those who wait for one.
            users.abort_all();
        }
        while users.join_next().await.is_some() {}
        assert_eq!(limiter.available(), 4, "way {way}");
    }
}

#[tokio::test]
async fn at_the_limit_load_is_shed_at_once_or_after_a_deadline() {
    let limiter = ConnectionLimiter::new(2);
    let one = limiter.try_acquire().unwrap();
    let _two = limiter.acquire_within(SOON).await.unwrap();
    let shed = limiter.try_acquire().unwrap_err();
    assert_eq!((shed.limit, shed.waited), (2, Duration::ZERO));
    let limit = Duration::from_millis(50);
    let start = Instant::now();
    let late = limiter.acquire_within(limit).await.unwrap_err();
    assert!(late.waited >= limit && start.elapsed() < PROMPT);
    assert!(late.to_string().starts_with("the limit of 2 is reached"));
    drop(one);
    let _again = limiter.try_acquire().unwrap();
    assert_eq!(limiter.available(), 0, "who gave up took no place along");
}

#[tokio::test]
async fn keys_do_not_disturb_each_other_and_one_key_is_one_limiter() {
    let limiters = Limiters::default().limit("reports", 1);
    let report = limiters.get("reports").try_acquire().unwrap();
    assert!(limiters.clone().get("reports").try_acquire().is_err());
    let mail = limiters.get("mail");
    assert_eq!((mail.limit(), mail.available()), (50, 50));
    let _permit = mail.acquire().await;
    assert_eq!(limiters.get("mail").available(), 49);
    drop(report);
    assert_eq!(limiters.get("reports").available(), 1);
    assert_eq!(ConnectionLimiter::new(0).limit(), 1);
}
