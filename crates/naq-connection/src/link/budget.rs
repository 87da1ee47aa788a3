//! How many bytes of a client may wait in this process to be sent.
//!
//! The client's own queue counts messages, so that large ones could fill the memory while a link
//! stalls. Here each message takes its size from a semaphore before it goes into that queue. The
//! sizes come back when the socket has taken what was queued: whoever finds the budget used up asks
//! the client for that, one at a time. As long as the budget lasts, nobody waits and nothing is locked.
//!
//! The semaphore is one word, and a word that all threads write to travels between them with each
//! message. So each thread takes a little more than it needs and keeps the rest in a place of its
//! own; who has to wait collects these rests first.

use std::array;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use crate::monitor::stripe;
use async_nats::client::FlushError;
use async_nats::{Client, HeaderMap};
use futures::poll;
use tokio::sync::{Mutex, Semaphore};

const PLACES: usize = 8;
/// Most that a place takes in advance, in bytes, and which part of the budget.
const ADVANCE: u32 = 64 * 1024;
const SHARE: u32 = 128;

#[derive(Debug)]
pub(crate) struct Budget {
    limit: u32,
    /// What a place takes in advance.
    advance: u32,
    places: [Place; PLACES],
    /// Of `places`: the bytes that were queued and have come back to `free`.
    returned: AtomicU64,
    free: Semaphore,
    /// Held by the one who waits for the socket.
    flushing: Mutex<()>,
}

/// On cache lines of its own (two, for processors that fetch them in pairs).
#[derive(Debug, Default)]
#[repr(align(128))]
struct Place {
    /// Taken from `free`, and not yet used.
    rest: AtomicU64,
    /// Bytes that went into the client's queue.
    queued: AtomicU64,
}

/// Room for one message.
#[derive(Debug)]
#[must_use = "dropped, the room is free again"]
pub(crate) struct Room<'a> {
    budget: &'a Budget,
    size: u32,
}

impl Place {
    fn take(&self, size: u64) -> bool {
        let less = |rest: u64| rest.checked_sub(size);
        let (relaxed, rest) = (Ordering::Relaxed, &self.rest);
        rest.fetch_update(relaxed, relaxed, less).is_ok()
    }
}

impl Budget {
    /// At least one byte, at most 4 GiB.
    pub(crate) fn new(limit: u64) -> Self {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX).max(1);
        Self {
            limit,
            advance: (limit / SHARE).min(ADVANCE),
            places: array::from_fn(|_| Place::default()),
            returned: AtomicU64::new(0),
            free: Semaphore::new(limit as usize),
            flushing: Mutex::new(()),
        }
    }

    /// Waits for room. Who waits is served in the order of coming; meanwhile others only get the rests
    /// of their places, which run out. A message that is larger than the whole budget goes alone.
    /// Fails when the client has ended; dropping the future is safe.
    pub(crate) async fn room(&self, client: &Client, size: usize) -> Result<Room<'_>, FlushError> {
        if let Some(room) = self.room_now(size) {
            return Ok(room);
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
                    permit.forget();
                    return Ok(Room { budget: self, size });
                }
                flushed = self.flush(client) => flushed?,
            }
        }
    }

    /// Room, if there is some for this thread.
    pub(crate) fn room_now(&self, size: usize) -> Option<Room<'_>> {
        let size = self.counted(size);
        let room = Room { budget: self, size };
        let place = self.place();
        if place.take(u64::from(size)) {
            return Some(room);
        }
        let taken = match self.take(size.saturating_add(self.advance)) {
            true => {
                let rest = &place.rest;
                rest.fetch_add(u64::from(self.advance), Ordering::Relaxed);
                true
            }
            false => self.take(size),
        };
        if taken {
            return Some(room);
        }
        // It has taken nothing that could come back.
        mem::forget(room);
        None
    }

    fn take(&self, size: u32) -> bool {
        let permit = self.free.try_acquire_many(size);
        permit.map(|permit| permit.forget()).is_ok()
    }

    fn counted(&self, size: usize) -> u32 {
        u32::try_from(size).unwrap_or(u32::MAX).min(self.limit)
    }

    /// That of this thread.
    fn place(&self) -> &Place {
        &self.places[stripe() % PLACES]
    }

    /// Takes back what places have taken in advance.
    fn collect(&self) {
        let rests = self.places.iter();
        let rests: u64 = rests.map(|p| p.rest.swap(0, Ordering::Relaxed)).sum();
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
        let places = self.places.iter();
        places.map(|p| p.queued.load(Ordering::Acquire)).sum()
    }

    /// The first `queued` bytes have left.
    pub(crate) fn sent(&self, queued: u64) {
        if self.returned.load(Ordering::Acquire) >= queued {
            return;
        }
        let returned = self.returned.fetch_max(queued, Ordering::AcqRel);
        self.give_back(queued.saturating_sub(returned));
    }
}

impl Room<'_> {
    /// The message is in the client's queue, or in line for it. What is queued after that comes behind
    /// it, a flush too.
    pub(crate) fn used(self) {
        let queued = &self.budget.place().queued;
        queued.fetch_add(u64::from(self.size), Ordering::Release);
        // It comes back when it has left, not now.
        mem::forget(self);
    }

    /// Runs `send`, whose first poll puts the message into the client's queue, or in line for it.
    pub(crate) async fn carry<T>(self, mut send: Pin<&mut impl Future<Output = T>>) -> T {
        let first = poll!(send.as_mut());
        self.used();
        match first {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => send.await,
        }
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.budget.give_back(u64::from(self.size));
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
        let places = budget.places.iter();
        let rests: u64 = places.map(|p| p.rest.load(Ordering::Relaxed)).sum();
        rests + budget.free.available_permits() as u64
    }

    #[test]
    fn bytes_come_back_once_however_often_they_are_reported() {
        for limit in [100, 1_000_000] {
            let budget = Budget::new(limit);
            for _ in 0..2 {
                budget.room_now(30).unwrap().used();
            }
            assert_eq!(free(&budget), limit - 60);
            budget.sent(60);
            budget.sent(30);
            budget.sent(60);
            assert_eq!(free(&budget), limit);
        }
    }

    #[test]
    fn room_that_is_not_used_comes_back() {
        let budget = Budget::new(100);
        drop(budget.room_now(30).unwrap());
        assert_eq!((free(&budget), budget.queued()), (100, 0));
    }

    #[test]
    fn what_places_took_in_advance_never_passes_the_limit_and_is_collected() {
        let limit = 1_000_000;
        let budget = Budget::new(limit);
        let used: u64 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..2 * PLACES)
                .map(|_| {
                    scope.spawn(|| {
                        let rooms = std::iter::from_fn(|| budget.room_now(100));
                        rooms.map(Room::used).count() as u64 * 100
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
        budget.room_now(1).unwrap().used();
        // A message as large as all of it needs the rests too.
        assert!(budget.room_now(999_999).is_none());
        budget.collect();
        assert!(budget.room_now(999_999).is_some());
    }

    #[test]
    fn a_size_counts_all_parts() {
        let mut headers = HeaderMap::new();
        headers.insert("Ab", "cde");
        assert_eq!(size("subj", &headers, b"payload"), 4 + 5 + 7);
        assert_eq!(size("subj", &HeaderMap::new(), b""), 4);
    }
}
