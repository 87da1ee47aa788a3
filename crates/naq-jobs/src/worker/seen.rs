//! Which jobs may have been delivered before the connection was lost.
//!
//! A server that was killed forgets the last deliveries before it and delivers those jobs again as if for the first
//! time. They lie near the newest that this worker has seen: no more than `max_ack_pending` can be beyond it.

/// The jobs of one queue that this worker has seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    newest: u64,
    suspect_up_to: u64,
}

impl Seen {
    /// Notes a job by its sequence; says whether it may have been delivered before.
    pub(super) fn note(&mut self, sequence: u64) -> bool {
        self.newest = self.newest.max(sequence);
        sequence <= self.suspect_up_to
    }

    /// The connection was lost and is back.
    pub(super) fn reconnected(&mut self, max_ack_pending: u32) {
        if self.newest > 0 {
            self.suspect_up_to = self.newest + u64::from(max_ack_pending);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_jobs_around_a_lost_connection_are_suspect() {
        let mut seen = Seen::default();
        seen.reconnected(10);
        assert!(
            !seen.note(5),
            "a worker that has seen nothing suspects nothing"
        );
        seen.reconnected(10);
        assert!(seen.note(5));
        assert!(seen.note(15));
        assert!(!seen.note(16));
    }
}
