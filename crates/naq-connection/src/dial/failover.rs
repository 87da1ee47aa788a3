//! Which server to try next after a loss, when, and when to give up. Pure: no I/O, no clock.

use std::time::Duration;

use super::backoff::Backoff;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Wait, then try the server at this place of the pool.
    Try { server: usize, delay: Duration },
    /// So many attempts failed in a row: stop.
    GiveUp { attempts: u32 },
    /// The credentials were refused, and those that were asked for next too: stop.
    Refused,
}

/// Refusals in a row that end it: the credentials are asked for anew before each attempt.
const REFUSALS: u32 = 2;

#[derive(Debug)]
pub(crate) struct Failover {
    backoff: Backoff,
    max_attempts: Option<u32>,
    connects: u64,
    attempts: u32,
    refusals: u32,
    next: usize,
}

impl Failover {
    pub(crate) fn new(backoff: Backoff, max_attempts: Option<u32>) -> Self {
        Self {
            backoff,
            max_attempts,
            connects: 0,
            attempts: 0,
            refusals: 0,
            next: 0,
        }
    }

    /// `connects`: how often this client has connected so far; a change starts the count anew.
    /// The delay grows once per round through the pool, so that a live neighbour of a dead
    /// server is tried without waiting long.
    pub(crate) fn step(&mut self, servers: usize, connects: u64) -> Step {
        self.count_from(connects);
        if self.refusals >= REFUSALS {
            return Step::Refused;
        }
        if self.max_attempts.is_some_and(|max| self.attempts >= max) {
            return Step::GiveUp {
                attempts: self.attempts,
            };
        }
        let servers = servers.max(1);
        let server = self.next % servers;
        self.next = server + 1;
        let round = self.attempts / u32::try_from(servers).unwrap_or(u32::MAX);
        self.attempts = self.attempts.saturating_add(1);
        Step::Try {
            server,
            delay: self.backoff.jittered(round),
        }
    }

    /// The last attempt reached a server, which refused the credentials. Servers that can't be
    /// reached in between say nothing about credentials.
    pub(crate) fn refused(&mut self, connects: u64) {
        self.count_from(connects);
        self.refusals = self.refusals.saturating_add(1);
    }

    fn count_from(&mut self, connects: u64) {
        if connects != self.connects {
            self.connects = connects;
            self.attempts = 0;
            self.refusals = 0;
        }
    }

    /// The server in use; the next attempt goes to the one after it.
    pub(crate) fn in_use(&mut self, server: usize) {
        self.next = server + 1;
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failover(max_attempts: Option<u32>) -> Failover {
        Failover::new(Backoff::new(Duration::from_millis(500)), max_attempts)
    }

    fn servers(failover: &mut Failover, steps: usize) -> Vec<usize> {
        (0..steps)
            .map(|_| match failover.step(3, 1) {
                Step::Try { server, .. } => server,
                step => panic!("{step:?}"),
            })
            .collect()
    }

    #[test]
    fn attempts_go_round_the_pool_from_the_server_after_the_lost_one() {
        let mut failover = failover(None);
        failover.in_use(1);
        assert_eq!(servers(&mut failover, 5), [2, 0, 1, 2, 0]);
    }

    #[test]
    fn the_delay_grows_per_round_and_not_per_attempt() {
        let mut failover = failover(None);
        for attempt in 0..300 {
            let Step::Try { delay, .. } = failover.step(3, 1) else {
                panic!("gave up")
            };
            assert!(delay <= failover.backoff.ceiling(attempt / 3));
        }
    }

    #[test]
    fn it_gives_up_after_exactly_the_configured_attempts() {
        let mut failover = failover(Some(3));
        servers(&mut failover, 3);
        assert_eq!(failover.step(3, 1), Step::GiveUp { attempts: 3 });
    }

    #[test]
    fn zero_attempts_means_none_and_not_infinite() {
        assert_eq!(failover(Some(0)).step(1, 1), Step::GiveUp { attempts: 0 });
    }

    #[test]
    fn a_connect_in_between_starts_the_count_anew() {
        let mut failover = failover(Some(2));
        failover.step(1, 1);
        failover.step(1, 1);
        assert!(matches!(failover.step(1, 2), Step::Try { .. }));
    }

    #[test]
    fn credentials_that_are_refused_twice_end_it_and_a_connect_forgets_the_first() {
        let mut failover = failover(None);
        failover.refused(1);
        assert!(matches!(failover.step(1, 1), Step::Try { .. }));
        failover.refused(2);
        assert!(matches!(failover.step(1, 2), Step::Try { .. }));
        // A server that is down in between changes nothing.
        failover.step(1, 2);
        failover.refused(2);
        assert_eq!(failover.step(1, 2), Step::Refused);
    }
}
