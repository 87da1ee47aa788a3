//! When to ask the server for jobs, and when a request counts as lost: a pure state machine.
//!
//! The client's own pull streams lose messages and stall after reconnects, so the worker keeps its own requests. One
//! or more may be out at a time; the server tells how each ends, and sends heartbeats while one is open.
//!
//! ```text
//!                   ask                    all delivered, or ended (404, 408, 409)
//!      RESTING ───────────────► WAITING ──────────────────────────────► RESTING
//!         ▲                        │ no heartbeat in time, reconnected, 503
//!         │  pause over            ▼
//!         └────────────────── RECOVERING ── consumer or stream missing ──► make it again, then RESTING
//! ```
//!
//! Time comes in as an argument. The loop around this is `pull_loop.rs`.

use std::time::Duration;

use tokio::time::Instant;

/// How long a request stays open, and how often the server says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timing {
    /// The server ends a request after this time; an idle worker renews it as often.
    pub(super) expires: Duration,
    /// The server says at least this often that a request is still open.
    pub(super) heartbeat: Duration,
}

/// Waits after a failure: the first, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Wait before a consumer is made again that was deleted. The server says that it is deleted (409) before it removes the
/// files; a new one of this name that comes too early loses its own with them, and can't be paused any more. There is nothing
/// else to wait for: in `stopWithFlags` of its consumer.go (2.15) the 409 and the advisory come first, then the name is
/// free, then the files go, and only whoever has deleted it gets an answer after that.
const GONE: Duration = Duration::from_millis(500);

impl Timing {
    /// For a queue with this lease time.
    ///
    /// A process that is stopped or hangs keeps its connection, and the server goes on to fill its open requests. They
    /// end before the lease of a job that it holds can lapse (two thirds of `ack_wait` after its last renewal at the
    /// earliest), so the job is not given to it again.
    pub(super) fn of(ack_wait: Duration) -> Self {
        let expires = (ack_wait / 2).clamp(Duration::from_millis(500), Duration::from_secs(10));
        Self {
            expires,
            heartbeat: (expires / 2).min(Duration::from_secs(1)),
        }
    }

    /// For messages whose lease is never renewed, handled before the next request: one that brought a message ends before
    /// that can lapse, so a process that is stopped is not given it again. Longer than [`Self::of`], since an idle worker
    /// renews it as often.
    pub(super) fn of_errand(ack_wait: Duration) -> Self {
        let expires =
            (ack_wait * 9 / 10).clamp(Duration::from_millis(500), Duration::from_secs(10));
        Self {
            expires,
            ..Self::of(ack_wait)
        }
    }

    /// For a request that holds slots which another queue may need soon.
    pub(super) fn brief(self) -> Self {
        let expires = self.expires.min(Duration::from_secs(1));
        Self {
            expires,
            heartbeat: self.heartbeat.min(expires / 2),
        }
    }

    /// A request without a sign of life for so long is lost.
    fn silence(self) -> Duration {
        self.heartbeat * 2 + Duration::from_millis(100)
    }

    /// A request for what is there, which the server answers at once, stands after so long.
    fn patience(self) -> Duration {
        self.heartbeat / 4
    }
}

/// What came from the server (or did not).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// A job.
    Job,
    /// Status 100.
    Heartbeat,
    /// A request ended with so many jobs undelivered; `None` if the server did not say.
    Ended(Option<u32>),
    /// The consumer or its stream is gone.
    Missing,
    /// No server takes requests for it now.
    NoResponders,
    /// The connection is a new one: what was out is lost.
    Reconnected,
}

/// What the loop shall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// Nothing was lost.
    Nothing,
    /// So many jobs that were asked for will not come.
    Credits(u32),
    /// The server does not answer a request for what is there: jobs are there, and the consumer is paused or has given out as
    /// many as it may. It sends no heartbeats, so the request has to be withdrawn.
    Stands,
}

/// The requests of one queue.
#[derive(Debug)]
pub(super) struct Puller {
    timing: Timing,
    /// Jobs asked for and not yet delivered or refused.
    out: u32,
    /// Only what is there was asked for.
    no_wait: bool,
    /// When silence becomes a loss.
    silent_at: Instant,
    /// Not before this may be asked again.
    resume_at: Instant,
    failures: u32,
    missing: bool,
}

impl Puller {
    pub(super) fn new(timing: Timing, now: Instant) -> Self {
        Self {
            timing,
            out: 0,
            no_wait: false,
            silent_at: now,
            resume_at: now,
            failures: 0,
            missing: false,
        }
    }

    /// The lease time of the queue is another one.
    pub(super) fn set_timing(&mut self, timing: Timing) {
        self.timing = timing;
    }

    /// Whether a request may be sent now.
    pub(super) fn may_ask(&self, now: Instant) -> bool {
        !self.missing && now >= self.resume_at
    }

    /// Whether nothing is asked for.
    pub(super) fn rests(&self) -> bool {
        self.out == 0
    }

    /// Whether the consumer has to be made again before anything else.
    pub(super) fn is_missing(&self, now: Instant) -> bool {
        self.missing && now >= self.resume_at
    }

    /// A request for `count` jobs was sent.
    pub(super) fn asked(&mut self, count: u32, no_wait: bool, now: Instant) {
        self.no_wait = no_wait;
        if self.out == 0 {
            self.listens(now);
        }
        self.out += count;
    }

    /// Something happened; says what will not come any more.
    pub(super) fn on(&mut self, event: Event, now: Instant) -> Lost {
        match event {
            Event::Job => {
                self.alive(now);
                self.out = self.out.saturating_sub(1);
                Lost::Nothing
            }
            Event::Heartbeat => {
                self.alive(now);
                Lost::Nothing
            }
            Event::Ended(undelivered) => {
                self.alive(now);
                let lost = undelivered.unwrap_or(self.out).min(self.out);
                self.out -= lost;
                Lost::Credits(lost)
            }
            Event::Reconnected => {
                self.resume_at = now;
                self.drop_all()
            }
            Event::Missing => {
                self.missing = true;
                self.fail(now);
                self.resume_at = self.resume_at.max(now + GONE);
                self.drop_all()
            }
            Event::NoResponders => {
                // Nobody answers for a consumer that was deleted, either.
                self.missing = true;
                self.fail(now);
                self.drop_all()
            }
        }
    }

    /// Looks at the clock; says what counts as lost by now.
    pub(super) fn tick(&mut self, now: Instant) -> Lost {
        if self.out > 0 && now >= self.silent_at {
            if self.no_wait {
                return Lost::Stands;
            }
            // A request that is not answered at all is how a missing consumer looks, too.
            self.missing = true;
            self.fail(now);
            return self.drop_all();
        }
        Lost::Nothing
    }

    /// The consumer is there (again).
    pub(super) fn found(&mut self, now: Instant) {
        self.missing = false;
        self.resume_at = now;
    }

    /// Making the consumer, or sending a request, failed.
    pub(super) fn failed(&mut self, now: Instant) -> Lost {
        self.fail(now);
        self.drop_all()
    }

    /// When [`Self::tick`], [`Self::may_ask`] or [`Self::is_missing`] may change by themselves.
    pub(super) fn wake_at(&self, now: Instant) -> Option<Instant> {
        if self.resume_at > now {
            return Some(self.resume_at);
        }
        (self.out > 0).then_some(self.silent_at)
    }

    fn alive(&mut self, now: Instant) {
        self.failures = 0;
        self.listens(now);
    }

    fn listens(&mut self, now: Instant) {
        self.silent_at = now
            + match self.no_wait {
                true => self.timing.patience(),
                false => self.timing.silence(),
            };
    }

    fn fail(&mut self, now: Instant) {
        let factor = 1_u32.checked_shl(self.failures.min(10)).unwrap_or(u32::MAX);
        self.resume_at = now + PAUSE.0.saturating_mul(factor).min(PAUSE.1);
        self.failures = self.failures.saturating_add(1);
    }

    fn drop_all(&mut self) -> Lost {
        match std::mem::take(&mut self.out) {
            0 => Lost::Nothing,
            lost => Lost::Credits(lost),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn start() -> (Puller, Instant) {
        let now = Instant::now();
        (Puller::new(Timing::of(Duration::from_secs(30)), now), now)
    }

    #[test]
    fn silence_is_a_loss_and_heartbeats_prevent_it() {
        let (mut puller, now) = start();
        let silence = puller.timing.silence();
        puller.asked(5, false, now);
        let later = now + Duration::from_secs(2);
        puller.on(Event::Heartbeat, later);
        assert_eq!(puller.tick(later + Duration::from_secs(2)), Lost::Nothing);
        assert_eq!(puller.tick(later + silence), Lost::Credits(5));
        assert!(
            !puller.may_ask(later + silence + PAUSE.0),
            "the consumer is looked at first"
        );
        assert!(puller.is_missing(later + silence + PAUSE.0));
        puller.found(later + silence + PAUSE.0);
        assert!(puller.may_ask(later + silence + PAUSE.0));
    }

    #[test]
    fn a_request_for_what_is_there_that_is_not_answered_stands() {
        let (mut puller, now) = start();
        puller.asked(5, true, now);
        let later = now + puller.timing.patience();
        assert_eq!(puller.wake_at(now), Some(later));
        puller.on(Event::Job, now + Duration::from_millis(1));
        assert_eq!(puller.tick(later), Lost::Nothing);
        assert_eq!(puller.tick(later + Duration::from_millis(1)), Lost::Stands);
        assert_eq!(puller.on(Event::Reconnected, later), Lost::Credits(4));
    }

    #[test]
    fn a_request_that_ends_gives_back_what_was_not_delivered() {
        let (mut puller, now) = start();
        puller.asked(10, false, now);
        puller.on(Event::Job, now);
        assert_eq!(puller.on(Event::Ended(Some(4)), now), Lost::Credits(4));
        assert_eq!(puller.on(Event::Ended(None), now), Lost::Credits(5));
        assert_eq!(puller.on(Event::Ended(Some(7)), now), Lost::Credits(0));
    }

    #[test]
    fn a_request_ends_before_a_lease_can_lapse_and_outlives_its_heartbeats() {
        for seconds in [1, 2, 10, 30, 600] {
            let ack_wait = Duration::from_secs(seconds);
            let timing = Timing::of(ack_wait);
            assert!(timing.expires < ack_wait * 2 / 3, "{timing:?}");
            assert!(timing.heartbeat * 2 <= timing.expires, "{timing:?}");
            let errand = Timing::of_errand(ack_wait);
            assert!(errand.expires < ack_wait, "{errand:?}");
            assert!(errand.heartbeat * 2 <= errand.expires, "{errand:?}");
        }
    }

    #[test]
    fn a_reconnect_asks_again_at_once() {
        let (mut puller, now) = start();
        puller.asked(3, false, now);
        assert_eq!(puller.on(Event::Reconnected, now), Lost::Credits(3));
        assert!(puller.may_ask(now));
    }

    #[test]
    fn a_consumer_that_was_deleted_is_not_made_again_at_once() {
        let (mut puller, now) = start();
        puller.asked(3, false, now);
        assert_eq!(puller.on(Event::Missing, now), Lost::Credits(3));
        assert!(!puller.is_missing(now + GONE - Duration::from_millis(1)));
        assert!(puller.is_missing(now + GONE));
    }

    #[test]
    fn failures_wait_longer_up_to_a_limit() {
        let (mut puller, now) = start();
        for _ in 0..20 {
            puller.on(Event::NoResponders, now);
        }
        assert!(!puller.is_missing(now + PAUSE.1 - Duration::from_millis(1)));
        assert!(puller.is_missing(now + PAUSE.1));
    }

    proptest! {
        #[test]
        fn credits_are_never_made_or_lost(events in proptest::collection::vec((0_u8..7, 0_u32..20), 0..200)) {
            let (mut puller, mut now) = start();
            let (mut asked, mut came, mut lost) = (0_u32, 0_u32, 0_u32);
            for (what, n) in events {
                now += Duration::from_millis(u64::from(n) * 100);
                let result = match what {
                    0 => { puller.asked(n, false, now); asked += n; Lost::Nothing }
                    1 if puller.out > 0 => { came += 1; puller.on(Event::Job, now) }
                    1 | 2 => puller.on(Event::Heartbeat, now),
                    3 => puller.on(Event::Ended(Some(n)), now),
                    4 => puller.on(Event::Reconnected, now),
                    5 => puller.on(Event::NoResponders, now),
                    _ => puller.tick(now),
                };
                if let Lost::Credits(n) = result { lost += n; }
                prop_assert_eq!(asked, came + lost + puller.out);
                // Never stuck: either something is out and watched, or a time to go on is known.
                prop_assert!(puller.may_ask(now) || puller.is_missing(now) || puller.wake_at(now).is_some());
            }
        }
    }
}
