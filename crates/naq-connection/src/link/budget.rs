//! How many bytes of a client may wait in this process to be sent.
//!
//! The client's own queue counts messages, so that large ones could fill the memory while a link
//! stalls. Here each message takes its size from a semaphore before it goes into that queue. The
//! sizes come back when the socket has taken what was queued: whoever finds the budget used up asks
//! the client for that, one at a time. As long as the budget lasts, nobody waits and nothing is locked.
//!
//! The semaphore is one word, and a word that all threads write to travels between them with each
//! message. So each thread takes a little more than it needs and keeps the rest in a place of its
//! own; who has to wait collects these rests first. What was taken and is in no rest is queued: one
//! word to write for each message. A message counts as queued from the moment when it has its room,
//! so the limit can be passed by those that are on their way from there into the queue while the
//! socket is asked: one a thread.

use std::array;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_nats::client::FlushError;
use async_nats::{Client, HeaderMap};
use tokio::sync::Semaphore;

use crate::monitor::stripe;

const PLACES: usize = 8;
/// Most that a place takes in advance, in bytes, and which part of the budget.
const ADVANCE: u32 = 64 * 1024;
const SHARE: u32 = 128;

#[derive(Debug)]
pub(crate) struct Budget {
    limit: u32,
    /// What a place takes in advance.
    advance: u32,
    rests: [Rest; PLACES],
    taken: Mutex<Taken>,
    free: Semaphore,
    /// Held by the one who waits for the socket.
    flushing: tokio::sync::Mutex<()>,
}

/// What a thread has taken from `free` and not yet used. On cache lines of its own (two, for
/// processors that fetch them in pairs).
#[derive(Debug, Default)]
#[repr(align(128))]
struct Rest(AtomicU64);

/// All that was ever taken from `free`.
#[derive(Debug, Default)]
struct Taken {
    /// In bytes, without what was collected.
    bytes: u64,
    /// Of it, the bytes that were queued and have come back to `free`.
    returned: u64,
}

impl Rest {
    fn take(&self, size: u64) -> bool {
        let less = |rest: u64| rest.checked_sub(size);
        let (relaxed, rest) = (Ordering::Relaxed, &self.0);
        rest.fetch_update(Ordering::Release, relaxed, less).is_ok()
    }
}

impl Budget {
    /// At least one byte, at most 4 GiB.
    pub(crate) fn new(limit: u64) -> Self {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX).max(1);
        Self {
            limit,
            advance: (limit / SHARE).min(ADVANCE),
            rests: array::from_fn(|_| Rest::default()),
            taken: Mutex::default(),
            free: Semaphore::new(limit as usize),
            flushing: tokio::sync::Mutex::new(()),
        }
    }

    /// Waits for room for one message, which counts as queued then. Who waits is served in the order of coming; meanwhile others only get the rests
    /// of their places, which run out. A message that is larger than the whole budget goes alone.
    /// Fails when the client has ended; dropping the future is safe.
    pub(crate) async fn room(&self, client: &Client, size: usize) -> Result<(), FlushError> {
        if self.room_now(size) {
            return Ok(());
        }
        let size = self.counted(size);
        let mut permit = pin!(self.free.acquire_many(size));
        loop {
            // What a place took meanwhile comes back with the next round.
            self.collect();
            tokio::select! {
                biased;
                // The semaphore is never closed.
                Ok(permit) = permit.as_mut() => {
                    self.taken().bytes += u64::from(size);
                    permit.forget();
                    return Ok(());
                }
                flushed = self.flush(client) => flushed?,
            }
        }
    }

    /// As [`room`](Self::room), false if there is none for this thread.
    pub(crate) fn room_now(&self, size: usize) -> bool {
        let size = self.counted(size);
        let rest = &self.rests[stripe() % PLACES];
        rest.take(u64::from(size)) || self.take(size, rest)
    }

    /// Takes from `free`, with something in advance if there is enough.
    fn take(&self, size: u32, rest: &Rest) -> bool {
        let mut taken = self.taken();
        for advance in [self.advance, 0] {
            let bytes = size.saturating_add(advance);
            if let Ok(permit) = self.free.try_acquire_many(bytes) {
                permit.forget();
                taken.bytes += u64::from(bytes);
                rest.0.fetch_add(u64::from(bytes - size), Ordering::Relaxed);
                return true;
            }
        }
        false
    }

    fn counted(&self, size: usize) -> u32 {
        u32::try_from(size).unwrap_or(u32::MAX).min(self.limit)
    }

    /// Takes back what places have taken in advance.
    fn collect(&self) {
        let mut taken = self.taken();
        let rests = self.rests.iter();
        let rests: u64 = rests.map(|rest| rest.0.swap(0, Ordering::Relaxed)).sum();
        taken.bytes -= rests;
        self.give_back(rests);
    }

    fn give_back(&self, bytes: u64) {
        if bytes > 0 {
            let permits = usize::try_from(bytes).unwrap_or(usize::MAX);
            self.free.add_permits(permits);
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
        // Locked, rests only shrink.
        let taken = self.taken();
        let rests = self.rests.iter();
        let rests: u64 = rests.map(|rest| rest.0.load(Ordering::Acquire)).sum();
        taken.bytes - rests
    }

    /// The first `queued` bytes have left.
    pub(crate) fn sent(&self, queued: u64) {
        let mut taken = self.taken();
        let more = queued.saturating_sub(taken.returned);
        taken.returned += more;
        self.give_back(more);
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn free(budget: &Budget) -> u64 {
        let rests = budget.rests.iter();
        let rests: u64 = rests.map(|rest| rest.0.load(Ordering::Relaxed)).sum();
        rests + budget.free.available_permits() as u64
    }

    #[test]
    fn bytes_come_back_once_however_often_they_are_reported() {
        for limit in [100, 1_000_000] {
            let budget = Budget::new(limit);
            for _ in 0..2 {
                assert!(budget.room_now(30));
            }
            assert_eq!(free(&budget), limit - 60);
            budget.sent(60);
            budget.sent(30);
            budget.sent(60);
            assert_eq!(free(&budget), limit);
        }
    }

    #[test]
    fn what_places_took_in_advance_never_passes_the_limit_and_is_collected() {
        let limit = 1_000_000;
        let budget = Budget::new(limit);
        let used: u64 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..2 * PLACES)
                .map(|_| {
                    scope.spawn(|| {
                        let rooms = std::iter::repeat_with(|| budget.room_now(100));
                        rooms.take_while(|room| *room).count() as u64 * 100
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        // In each place there may be a rest that is too small for one more.
        assert!(used <= limit && limit - used < 100 * PLACES as u64);
        assert_eq!((budget.queued(), free(&budget)), (used, limit - used));
        budget.sent(used);
        assert!(budget.room_now(1));
        // A message as large as all of it needs the rests too.
        assert!(!budget.room_now(999_999));
        budget.collect();
        assert!(budget.room_now(999_999));
    }

    #[test]
    fn a_size_counts_all_parts() {
        let mut headers = HeaderMap::new();
        headers.insert("Ab", "cde");
        assert_eq!(size("subj", &headers, b"payload"), 4 + 5 + 7);
        assert_eq!(size("subj", &HeaderMap::new(), b""), 4);
    }
}
