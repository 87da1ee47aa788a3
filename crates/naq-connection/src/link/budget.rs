//! How many bytes of a client may wait in this process to be sent.
//!
//! The client's own queue counts messages, so that large ones could fill the memory while a link
//! stalls. Here each message takes its size from a semaphore before it goes into that queue. The
//! sizes come back when the socket has taken what was queued: whoever finds the budget used up asks
//! the client for that, one at a time. As long as the budget lasts, nobody waits and nothing is locked.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use crate::monitor::Striped;
use async_nats::client::FlushError;
use async_nats::{Client, HeaderMap};
use futures::poll;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

#[derive(Debug)]
pub(crate) struct Budget {
    limit: u32,
    free: Semaphore,
    /// Bytes that went into the client's queue.
    queued: Striped,
    /// Of these, the bytes that came back to `free`.
    returned: AtomicU64,
    /// Held by the one who waits for the socket.
    flushing: Mutex<()>,
}

/// Room for one message.
#[derive(Debug)]
pub(crate) struct Room<'a> {
    budget: &'a Budget,
    permit: SemaphorePermit<'a>,
}

impl Budget {
    /// At least one byte, at most 4 GiB.
    pub(crate) fn new(limit: u64) -> Self {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX).max(1);
        Self {
            limit,
            free: Semaphore::new(limit as usize),
            queued: Striped::default(),
            returned: AtomicU64::new(0),
            flushing: Mutex::new(()),
        }
    }

    /// Waits for room, first come, first served. A message that is larger than the whole budget
    /// goes alone. Fails when the client has ended; dropping the future is safe.
    pub(crate) async fn room(&self, client: &Client, size: usize) -> Result<Room<'_>, FlushError> {
        if let Some(room) = self.room_now(size) {
            return Ok(room);
        }
        let size = self.counted(size);
        let mut permit = pin!(self.free.acquire_many(size));
        loop {
            tokio::select! {
                biased;
                // The semaphore is never closed.
                Ok(permit) = permit.as_mut() => return Ok(self.of(permit)),
                flushed = self.flush(client) => flushed?,
            }
        }
    }

    /// Room, if there is some and nobody waits for it.
    pub(crate) fn room_now(&self, size: usize) -> Option<Room<'_>> {
        let permit = self.free.try_acquire_many(self.counted(size)).ok()?;
        Some(self.of(permit))
    }

    fn counted(&self, size: usize) -> u32 {
        u32::try_from(size).unwrap_or(u32::MAX).min(self.limit)
    }

    fn of<'a>(&'a self, permit: SemaphorePermit<'a>) -> Room<'a> {
        Room {
            budget: self,
            permit,
        }
    }

    async fn flush(&self, client: &Client) -> Result<(), FlushError> {
        let _one = self.flushing.lock().await;
        let queued = self.queued();
        client.flush().await?;
        self.sent(queued);
        Ok(())
    }

    /// Bytes that were queued so far.
    pub(crate) fn queued(&self) -> u64 {
        self.queued.sum()
    }

    /// The first `queued` bytes have left.
    pub(crate) fn sent(&self, queued: u64) {
        if self.returned.load(Ordering::Acquire) >= queued {
            return;
        }
        let returned = self.returned.fetch_max(queued, Ordering::AcqRel);
        let back = queued.saturating_sub(returned);
        if back == 0 {
            return;
        }
        self.free
            .add_permits(usize::try_from(back).unwrap_or(usize::MAX));
    }
}

impl Room<'_> {
    /// The message is in the client's queue, or in line for it. What is queued after that comes behind
    /// it, a flush too.
    pub(crate) fn used(self) {
        let size = self.permit.num_permits() as u64;
        self.permit.forget();
        self.budget.queued.add(size);
    }

    /// Runs `send`, whose first poll puts the message into the client's queue, or in line for it.
    pub(crate) async fn carry<T>(self, send: impl Future<Output = T>) -> T {
        let mut send = pin!(send);
        let first = poll!(send.as_mut());
        self.used();
        match first {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => send.await,
        }
    }
}

/// The size of a message as it counts.
pub(crate) fn size(subject: &str, headers: &HeaderMap, payload: &[u8]) -> usize {
    let headers: usize = headers
        .iter()
        .flat_map(|(name, values)| {
            values.iter().map(move |value| {
                let name: &str = name.as_ref();
                name.len() + value.as_str().len()
            })
        })
        .sum();
    subject.len() + headers + payload.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(budget: &Budget) -> usize {
        budget.free.available_permits()
    }

    #[test]
    fn bytes_come_back_once_however_often_they_are_reported() {
        let budget = Budget::new(100);
        for _ in 0..2 {
            budget
                .of(budget.free.try_acquire_many(30).unwrap())
                .permit
                .forget();
            budget.queued.add(30);
        }
        assert_eq!(free(&budget), 40);
        budget.sent(60);
        budget.sent(30);
        budget.sent(60);
        assert_eq!(free(&budget), 100);
    }

    #[test]
    fn room_that_is_not_used_comes_back() {
        let budget = Budget::new(100);
        drop(budget.of(budget.free.try_acquire_many(30).unwrap()));
        assert_eq!((free(&budget), budget.queued()), (100, 0));
    }

    #[test]
    fn a_size_counts_all_parts() {
        let mut headers = HeaderMap::new();
        headers.insert("Ab", "cde");
        assert_eq!(size("subj", &headers, b"payload"), 4 + 5 + 7);
        assert_eq!(size("subj", &HeaderMap::new(), b""), 4);
    }
}
