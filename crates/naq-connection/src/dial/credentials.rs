//! Credentials, where they come from, and what the server is told of them.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use async_nats::{Auth, AuthError};
use naq_config::Secret;
use nkeys::KeyPair;

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

/// What the server is told, given its nonce.
pub(super) fn prove(credentials: Option<&Credentials>, nonce: &[u8]) -> Result<Auth, AuthError> {
    let mut auth = Auth::new();
    match credentials {
        None => {}
        Some(Credentials::User { name, password }) => {
            auth.username = Some(name.clone());
            auth.password = Some(password.expose().to_owned());
        }
        Some(Credentials::Token(token)) => auth.token = Some(token.expose().to_owned()),
        Some(Credentials::NkeySeed(seed)) => {
            let pair = key_pair(seed.expose().trim())?;
            auth.nkey = Some(pair.public_key());
            auth.signature = Some(sign(&pair, nonce)?);
        }
        Some(Credentials::Creds(text)) => {
            let (jwt, seed) = parts(text.expose()).ok_or_else(|| {
                AuthError::new("the credentials hold no user JWT followed by a seed")
            })?;
            auth.jwt = Some(jwt.to_owned());
            auth.signature = Some(sign(&key_pair(seed)?, nonce)?);
        }
    }
    Ok(auth)
}

fn key_pair(seed: &str) -> Result<KeyPair, AuthError> {
    // What the library says of a bad seed may hold a part of it.
    KeyPair::from_seed(seed).map_err(|_error| AuthError::new("the seed of the nkey is not valid"))
}

fn sign(pair: &KeyPair, nonce: &[u8]) -> Result<Vec<u8>, AuthError> {
    pair.sign(nonce).map_err(AuthError::new)
}

/// JWT and seed: the lines that follow the two `BEGIN` lines.
fn parts(text: &str) -> Option<(&str, &str)> {
    let mut lines = text.lines().map(str::trim);
    let mut part = || {
        lines.find(|line| line.starts_with("---") && line.contains("BEGIN"))?;
        lines.find(|line| !line.is_empty())
    };
    Some((part()?, part()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_signs_the_nonce() {
        let pair = KeyPair::new_user();
        let seed = Credentials::NkeySeed(Secret::new(pair.seed().unwrap()));
        let auth = prove(Some(&seed), b"nonce").unwrap();
        assert_eq!(auth.nkey, Some(pair.public_key()));
        pair.verify(b"nonce", &auth.signature.unwrap()).unwrap();
    }

    #[test]
    fn a_credentials_text_gives_its_jwt_and_signs() {
        let pair = KeyPair::new_user();
        let text = format!(
            "-----BEGIN NATS USER JWT-----\nab.cd.ef\n------END NATS USER JWT------\n\nsecret!\n\n\
             -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
            pair.seed().unwrap()
        );
        let auth = prove(Some(&Credentials::Creds(Secret::new(text))), b"n").unwrap();
        assert_eq!(auth.jwt.as_deref(), Some("ab.cd.ef"));
        pair.verify(b"n", &auth.signature.unwrap()).unwrap();
    }

    #[test]
    fn what_cannot_be_used_is_refused_and_not_shown() {
        for credentials in [
            Credentials::NkeySeed(Secret::new("SUhunter2")),
            Credentials::Creds(Secret::new("hunter2")),
        ] {
            let error = prove(Some(&credentials), b"n").err().unwrap();
            assert!(!format!("{error} {error:?} {credentials:?}").contains("hunter2"));
        }
    }
}
