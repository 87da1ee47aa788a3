//! Ctrl-C and SIGTERM: the first asks, the last ends the process at once.

use std::io;
use std::sync::{Arc, OnceLock};

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::error::CliError;
use crate::exit_code;

/// Listens from its making on, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Signals {
    stop: CancellationToken,
    hurry: CancellationToken,
    code: Arc<OnceLock<u8>>,
    _listener: JoinSet<()>,
}

impl Signals {
    /// The second signal ends the process at once.
    pub(crate) fn listen() -> io::Result<Self> {
        Self::listen_for(2)
    }

    /// The second signal fires [`Self::hurry`], the third ends the process at once.
    pub(crate) fn listen_with_hurry() -> io::Result<Self> {
        Self::listen_for(3)
    }

    fn listen_for(last: u32) -> io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (stop, hurry) = (CancellationToken::new(), CancellationToken::new());
        let code = Arc::new(OnceLock::new());
        let (stopping, hurrying, first) = (stop.clone(), hurry.clone(), Arc::clone(&code));
        let mut listener = JoinSet::new();
        listener.spawn(async move {
            for count in 1_u32.. {
                let received = tokio::select! {
                    _ = interrupt.recv() => exit_code::INTERRUPTED,
                    _ = terminate.recv() => exit_code::TERMINATED,
                };
                if count >= last {
                    at_once(received);
                }
                // Only the first one counts, and this is the only place that sets it.
                let _ignored = first.set(received);
                if stopping.is_cancelled() {
                    hurrying.cancel();
                }
                stopping.cancel();
            }
        });
        Ok(Self {
            stop,
            hurry,
            code,
            _listener: listener,
        })
    }

    /// Fires at the first signal.
    pub(crate) fn token(&self) -> &CancellationToken {
        &self.stop
    }

    /// Fires at the second signal.
    pub(crate) fn hurry(&self) -> &CancellationToken {
        &self.hurry
    }

    /// What `work` gives, unless a signal comes first; `work` is dropped then.
    pub(crate) async fn unless_stopped<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, CliError> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(self.interrupted()),
            done = work => Ok(done),
        }
    }

    /// The error of a command that was stopped before its work was done.
    pub(crate) fn interrupted(&self) -> CliError {
        let code = self.code.get().copied().unwrap_or(exit_code::INTERRUPTED);
        CliError::new(code, "interrupted")
    }
}

/// The last signal: nobody waits any longer. A child that serves us notices by itself.
#[expect(
    clippy::exit,
    reason = "asked for again, and whatever hangs must not hold it up"
)]
fn at_once(code: u8) {
    std::process::exit(i32::from(code));
}
