//! The reference of how a client is replaced under its leases.
//!
//! What gives leases is a place behind a lock with one counted reference, and a lease is another.
//! Who replaces the client takes the place's away; when the last lease lets go, the client is home
//! and may be closed. No lease can be taken from a client that is home, since taking one needs a
//! reference that is still there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use shuttle::sync::{Mutex, RwLock};
use shuttle::{check_random, future, thread};

use super::RANDOM;
use crate::sync::{AtomicBool, Notify};

#[derive(Default)]
struct Client {
    home: AtomicBool,
    came_home: Notify,
    closed: AtomicBool,
}

/// What all leases of a client share. A lease is one more reference to it.
struct Held(Arc<Client>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.home.store(true, Ordering::SeqCst);
        self.0.came_home.notify_waiters();
    }
}

struct Slot {
    place: RwLock<Option<Arc<Held>>>,
    /// Every client there ever was.
    clients: Mutex<Vec<Arc<Client>>>,
    closings: AtomicUsize,
}

impl Slot {
    fn new() -> Arc<Self> {
        let slot = Arc::new(Self {
            place: RwLock::new(None),
            clients: Mutex::default(),
            closings: AtomicUsize::new(0),
        });
        slot.put_new();
        slot
    }

    fn put_new(&self) {
        let client = Arc::new(Client::default());
        self.clients.lock().unwrap().push(Arc::clone(&client));
        self.put(Some(Arc::new(Held(client))));
    }

    /// The old one is let go outside of the lock.
    fn put(&self, held: Option<Arc<Held>>) {
        let old = std::mem::replace(&mut *self.place.write().unwrap(), held);
        drop(old);
    }

    fn lease(&self) -> Option<Arc<Held>> {
        self.place.read().unwrap().clone()
    }

    fn work(&self) {
        if let Some(lease) = self.lease() {
            let closed = || lease.0.closed.load(Ordering::SeqCst);
            assert!(!closed(), "a lease of a closed client");
            assert!(!closed(), "closed under its holder");
        }
    }

    /// Closes a client as soon as it is home.
    fn tend(&self, client: &Client) {
        future::block_on(async {
            while !client.home.load(Ordering::SeqCst) {
                let came_home = client.came_home.notified();
                if !client.home.load(Ordering::SeqCst) {
                    came_home.await;
                }
            }
        });
        client.closed.store(true, Ordering::SeqCst);
        self.closings.fetch_add(1, Ordering::SeqCst);
    }
}

/// Leases, and a replacement by the one who then closes what is home.
fn a_replacement_under(leases: usize) {
    let slot = Slot::new();
    let first = Arc::clone(&slot.clients.lock().unwrap()[0]);
    let mut threads = Vec::new();
    for _ in 0..leases {
        let slot = Arc::clone(&slot);
        threads.push(thread::spawn(move || slot.work()));
    }
    slot.put_new();
    slot.tend(&first);
    threads.into_iter().for_each(|t| t.join().unwrap());
    assert_eq!(slot.closings.load(Ordering::SeqCst), 1);
    let current = slot.lease().unwrap();
    assert!(!current.0.closed.load(Ordering::SeqCst));
}

#[test]
fn a_replaced_client_is_closed_once_and_under_nobody() {
    check_random(|| a_replacement_under(1), RANDOM);
}

#[test]
fn replaced_under_several_leases_a_client_is_closed_under_nobody() {
    check_random(|| a_replacement_under(3), RANDOM);
}

#[test]
fn a_service_that_shuts_down_closes_every_client_that_was_ever_there() {
    let shutdown = || {
        let slot = Slot::new();
        let worker = Arc::clone(&slot);
        let worker = thread::spawn(move || worker.work());
        slot.put_new();
        slot.put(None);
        let clients = slot.clients.lock().unwrap().clone();
        clients.iter().for_each(|client| slot.tend(client));
        worker.join().unwrap();
        assert_eq!(slot.closings.load(Ordering::SeqCst), 2);
        assert!(slot.lease().is_none());
    };
    check_random(shutdown, RANDOM);
}
