//! Everything at once, while workers and servers are killed, frozen and moved: priorities, limits, rates, unique jobs,
//! cancels, retries, snoozes, large payloads and results, notes, a kind that is paused.
//!
//! Each round draws jobs and blows from a seed, waits until nothing is left, and compares what is there with a model
//! that knows only what was meant and what the handlers noted. A long run:
//!
//! ```text
//! NAQ_SOAK=10m cargo test -p naq-it --test it -- soak --nocapture --test-threads 1
//! ```
//!
//! `NAQ_SOAK_SEED=<number>` repeats one.
#![expect(
    clippy::print_stdout,
    reason = "the seed and the rounds of a long run are for who waits for it"
)]

mod crew;
mod facts;
mod ground;
mod model;
mod plan;
mod round;

use std::time::{Duration, Instant};

use naq_jobs::Jobs;
use naq_testing::{TestCluster, TestServer};

use crate::setup::show_logs;
use ground::Ground;
use round::Round;

/// Jobs of a round, and blows: in a short run and in a long one.
const SHORT: (u32, u32) = (250, 4);
const LONG_RUN: (u32, u32) = (600, 8);

#[tokio::test]
async fn everything_at_once_on_one_server_that_is_killed_and_frozen() {
    soak(Ground::One(TestServer::start().await)).await;
}

#[tokio::test]
async fn everything_at_once_on_three_servers_whose_leader_is_killed_and_frozen() {
    soak(Ground::Three(TestCluster::start().await)).await;
}

async fn soak(ground: Ground) {
    show_logs();
    let seed = std::env::var("NAQ_SOAK_SEED").ok();
    let seed = seed.map_or_else(|| fastrand::u64(..), |text| text.parse().unwrap());
    let time = std::env::var("NAQ_SOAK").ok().map(|text| minutes(&text));
    println!("NAQ_SOAK_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let jobs = Jobs::connect(ground.settings()).await.unwrap();
    let begin = Instant::now();
    let size = if time.is_some() { LONG_RUN } else { SHORT };
    for number in 0.. {
        let round = Round::draw(&mut rng, number, size);
        round.run(&ground, &jobs).await;
        if begin.elapsed() >= time.unwrap_or_default() {
            break;
        }
    }
    jobs.shutdown().await;
}

/// Such as `10m`.
fn minutes(text: &str) -> Duration {
    let minutes = text
        .strip_suffix('m')
        .expect("NAQ_SOAK is a number of minutes, such as 10m");
    Duration::from_secs(60 * minutes.parse::<u64>().unwrap())
}
