//! Credentials that a program gives, instead of those in the settings.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use naq_config::Secret;

/// What a client proves its identity with. `Debug` shows no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credentials {
    /// A user with a password.
    User {
        /// Its name.
        name: String,
        /// Its password.
        password: Secret,
    },
    /// A token.
    Token(Secret),
    /// The seed of an nkey (`SU..`), with which the server's nonce is signed.
    NkeySeed(Secret),
    /// The text of a credentials file: a user JWT and its seed.
    Creds(Secret),
}

type Failed = Box<dyn StdError + Send + Sync>;
type Answer = Pin<Box<dyn Future<Output = Result<Credentials, Failed>> + Send>>;

/// Asked for credentials before each dial.
#[derive(Clone)]
pub(crate) struct Provider(Arc<dyn Fn() -> Answer + Send + Sync>);

impl Provider {
    pub(crate) fn new<F, Fut, E>(ask: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Credentials, E>> + Send + 'static,
        E: Into<Failed>,
    {
        Self(Arc::new(move || {
            let answer = ask();
            Box::pin(async move { answer.await.map_err(Into::into) })
        }))
    }

    pub(super) fn ask(&self) -> impl Future<Output = Result<Credentials, Failed>> + Send + Sync {
        Asked(Mutex::new((self.0)()))
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Provider")
    }
}

/// The client wants futures that can be shared between threads, although it never shares them.
struct Asked(Mutex<Answer>);

impl Future for Asked {
    type Output = Result<Credentials, Failed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        answer.as_mut().poll(cx)
    }
}
