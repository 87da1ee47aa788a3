//! What `crate::sync` is for the sources that the model checks compile: primitives that hand the
//! turn to any other thread at every step.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use shuttle::sync::Mutex;
pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

/// As tokio's, as far as it is used: whoever was there when `notify_waiters` was called wakes up.
#[derive(Debug, Default)]
pub(crate) struct Notify(Mutex<Calls>);

#[derive(Debug, Default)]
struct Calls {
    count: u64,
    waiting: Vec<Waker>,
}

pub(crate) struct Notified<'a> {
    notify: &'a Notify,
    there_since: u64,
}

impl Notify {
    pub(crate) fn notified(&self) -> Notified<'_> {
        let there_since = self.0.lock().unwrap().count;
        Notified {
            notify: self,
            there_since,
        }
    }

    pub(crate) fn notify_waiters(&self) {
        let waiting = {
            let mut calls = self.0.lock().unwrap();
            calls.count += 1;
            std::mem::take(&mut calls.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Notified<'_> {
    pub(crate) fn enable(self: Pin<&mut Self>) -> bool {
        self.notify.0.lock().unwrap().count > self.there_since
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut calls = self.notify.0.lock().unwrap();
        if calls.count > self.there_since {
            return Poll::Ready(());
        }
        calls.waiting.push(context.waker().clone());
        Poll::Pending
    }
}

/// Two, so that what is counted in several places is tried, and the number of orders stays small.
pub(crate) const PLACES: usize = 2;
