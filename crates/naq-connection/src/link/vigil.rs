//! When to doubt that anybody is at the other end. Pure: no I/O, no clock.
//!
//! ```text
//!              nothing moves, twice
//!   Look ─────────────────────────────► Doze ──► (used again) ──► Look, an answer is due
//!    ▲ │ something went out, then a whole look without anything coming in
//!    │ ▼
//!   Ask ──► (no answer) ──► stalled
//! ```
//!
//! A connection that sends and receives is never asked. One that only sends is asked once per
//! look. One that does neither costs nothing.

/// What the client has counted so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) in_bytes: u64,
    pub(super) out_messages: u64,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Look again after a while.
    Look,
    /// Nothing has moved for a while: it may be the last look.
    LastLook,
    /// Sleep until the connection is used.
    Doze,
    /// Send something that must be answered.
    Ask,
}

#[derive(Debug)]
pub(super) struct Vigil {
    seen: Counts,
    /// Something may have gone out after the last thing came in.
    owed: bool,
    quiet: bool,
}

impl Vigil {
    pub(super) fn new(now: Counts) -> Self {
        Self {
            seen: now,
            owed: true,
            quiet: false,
        }
    }

    pub(super) fn look(&mut self, now: Counts) -> Next {
        let came = now.in_bytes != self.seen.in_bytes;
        let went = now.out_messages != self.seen.out_messages;
        self.seen = now;
        if !came && (went || self.owed) {
            return Next::Ask;
        }
        // Which of the two was later is not known.
        self.owed = went;
        if came {
            self.quiet = false;
            return Next::Look;
        }
        // The second look is for what was being sent during the first.
        let doze = std::mem::replace(&mut self.quiet, true);
        if doze { Next::Doze } else { Next::LastLook }
    }

    /// The question was answered; it counts as one message.
    pub(super) fn answered(&mut self, now: Counts) {
        self.owed = now.out_messages != self.seen.out_messages + 1;
        self.seen = now;
        self.quiet = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(in_bytes: u64, out_messages: u64) -> Counts {
        Counts {
            in_bytes,
            out_messages,
        }
    }

    fn vigil() -> Vigil {
        let mut vigil = Vigil::new(at(0, 0));
        assert_eq!(vigil.look(at(0, 0)), Next::Ask);
        vigil.answered(at(9, 1));
        vigil
    }

    #[test]
    fn a_connection_that_sends_and_receives_is_not_asked() {
        let mut vigil = vigil();
        assert!((1..9).all(|n| vigil.look(at(9 + n, 1 + n)) == Next::Look));
    }

    #[test]
    fn one_that_only_sends_is_asked() {
        let mut vigil = vigil();
        assert_eq!(vigil.look(at(9, 2)), Next::Ask);
    }

    #[test]
    fn what_went_out_in_the_same_look_as_something_came_in_is_not_forgotten() {
        let mut vigil = vigil();
        assert_eq!(vigil.look(at(10, 2)), Next::Look);
        assert_eq!(vigil.look(at(10, 2)), Next::Ask);
        vigil.answered(at(20, 3));
        assert_eq!(vigil.look(at(20, 3)), Next::LastLook);
    }

    #[test]
    fn what_others_sent_while_it_was_asked_is_owed_too() {
        let mut vigil = vigil();
        assert_eq!(vigil.look(at(9, 2)), Next::Ask);
        vigil.answered(at(20, 4));
        assert_eq!(vigil.look(at(20, 4)), Next::Ask);
    }

    #[test]
    fn one_that_does_nothing_is_left_alone_after_two_looks() {
        let mut vigil = vigil();
        assert_eq!(vigil.look(at(9, 1)), Next::LastLook);
        assert_eq!(vigil.look(at(9, 1)), Next::Doze);
    }

    #[test]
    fn one_that_only_receives_is_never_asked() {
        let mut vigil = vigil();
        assert!((1..9).all(|n| vigil.look(at(9 + n, 1)) == Next::Look));
    }
}
