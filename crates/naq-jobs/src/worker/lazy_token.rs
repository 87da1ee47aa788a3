//! The token of a job, made when somebody asks for it: most handlers never do.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering, fence};

use tokio_util::sync::CancellationToken;

/// Cancelled or not, with a token only where one is wanted.
#[derive(Debug, Default)]
pub(super) struct LazyToken {
    is_cancelled: AtomicBool,
    token: OnceLock<CancellationToken>,
}

impl LazyToken {
    pub(super) fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Release);
        // Either this sees the token, or who makes it sees that it is cancelled.
        fence(Ordering::SeqCst);
        if let Some(token) = self.token.get() {
            token.cancel();
        }
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Acquire)
    }

    pub(super) fn token(&self) -> &CancellationToken {
        let token = self.token.get_or_init(CancellationToken::new);
        fence(Ordering::SeqCst);
        if self.is_cancelled() {
            token.cancel();
        }
        token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_cancelled_whenever_it_is_asked_for() {
        let (early, late) = (LazyToken::default(), LazyToken::default());
        let token = early.token().clone();
        assert!(!token.is_cancelled() && !early.is_cancelled());
        early.cancel();
        late.cancel();
        assert!(token.is_cancelled() && early.is_cancelled());
        assert!(late.token().is_cancelled() && late.is_cancelled());
    }
}
