//! Many jobs that are due at one instant: the server looks at its clock once and then stores one firing after the other.

use async_nats::HeaderMap;
use naq_testing::eventually;

use crate::setup::{Bed, LONG};

/// Stores so many, due `at` as a header `Nats-Schedule` says it, in a queue that nobody serves.
pub(crate) async fn crowd(bed: &Bed, at: &str, count: usize) {
    let conn = bed.conn().await;
    for n in 1..=count {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Schedule", at);
        headers.insert("Nats-Schedule-Target", format!("naq.queue.crowd.{n}"));
        let subject = format!("naq.schedule.crowd.{n}");
        if n == count {
            // The server reads them in their order.
            conn.publish_acked(subject, headers, "").await.unwrap();
        } else {
            let sent = conn.publish_with_headers(subject, headers, "");
            sent.await.unwrap();
        }
    }
}

/// Waits until the server has begun to fire them.
pub(crate) async fn crowd_fires(bed: &Bed) {
    let conn = bed.conn().await;
    eventually(LONG, async || {
        let first = "$JS.API.DIRECT.GET.naq_jobs.naq.queue.crowd.1";
        let first = conn.request(first.to_owned(), "").await.unwrap();
        first.status.map_or(Ok(()), Err)
    })
    .await;
}
