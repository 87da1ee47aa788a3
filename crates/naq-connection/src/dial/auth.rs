//! What a profile shows the server to be let in.
//!
//! Seeds and credentials in files are read again at every dial, so that they can be exchanged
//! while the program runs: what a new file says is used from the next reconnect on.

use std::io;
use std::path::{Path, PathBuf};

use async_nats::{Auth, AuthError};
use naq_config::Secret;
use naq_config::settings::Auth as Configured;
use nkeys::KeyPair;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::credentials::Credentials;

/// A credentials file has about 2 KiB; whatever is longer is another file.
const MAX_FILE: u64 = 64 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    User {
        name: String,
        password: Secret,
    },
    Token(Secret),
    Seed(Secret),
    SeedFile(PathBuf),
    File(PathBuf),
    /// The text of a credentials file.
    Creds(Secret),
}

impl From<Credentials> for Proof {
    fn from(credentials: Credentials) -> Self {
        match credentials {
            Credentials::User { name, password } => Self::User { name, password },
            Credentials::Token(token) => Self::Token(token),
            Credentials::NkeySeed(seed) => Self::Seed(seed),
            Credentials::Creds(text) => Self::Creds(text),
        }
    }
}

impl Proof {
    /// The one way that the settings have; the configuration refuses several.
    pub(super) fn configured(auth: &Configured) -> Option<Self> {
        let user = |name: &String| Self::User {
            name: name.clone(),
            password: auth.password.clone().unwrap_or_else(|| Secret::new("")),
        };
        let ways = [
            auth.token.clone().map(Self::Token),
            auth.nkey_seed.clone().map(Self::Seed),
            auth.nkey_seed_file.clone().map(Self::SeedFile),
            auth.credentials_file.clone().map(Self::File),
            auth.username.as_ref().map(user),
        ];
        ways.into_iter().flatten().next()
    }

    /// Why the settings cannot work, as far as that shows without a dial.
    pub(super) fn check(auth: &Configured) -> Result<(), &'static str> {
        let ways = [
            auth.token.is_some(),
            auth.nkey_seed.is_some(),
            auth.nkey_seed_file.is_some(),
            auth.credentials_file.is_some(),
            auth.username.is_some() || auth.password.is_some(),
        ];
        if ways.into_iter().filter(|is_set| *is_set).count() > 1 {
            return Err("auth has more than one of user, token, nkey and credentials file");
        }
        if auth.username.is_some() != auth.password.is_some() {
            return Err("auth needs both a user and a password");
        }
        match &auth.nkey_seed {
            Some(seed) if KeyPair::from_seed(seed.expose().trim()).is_err() => {
                Err("auth.nkey_seed is no seed of an nkey")
            }
            _ => Ok(()),
        }
    }

    /// Answers a server that has sent `nonce`. The error is shown: it names files, never what is
    /// in them.
    pub(super) async fn present(&self, nonce: &[u8]) -> Result<Auth, AuthError> {
        let mut auth = Auth::new();
        match self {
            Self::User { name, password } => {
                auth.username = Some(name.clone());
                auth.password = Some(password.expose().to_owned());
            }
            Self::Token(token) => auth.token = Some(token.expose().to_owned()),
            Self::Seed(seed) => sign_as_nkey(&mut auth, seed.expose(), nonce)
                .ok_or_else(|| AuthError::new("the seed of the nkey is not valid"))?,
            Self::SeedFile(path) => {
                let text = read(path).await?;
                let seed = lines(&text).find(|line| line.starts_with("SU"));
                seed.and_then(|seed| sign_as_nkey(&mut auth, seed, nonce))
                    .ok_or_else(|| refused(path, "it has no seed of a user (SU...)"))?;
            }
            Self::File(path) => sign_as_user(&mut auth, &read(path).await?, nonce)
                .map_err(|why| refused(path, why))?,
            Self::Creds(text) => {
                sign_as_user(&mut auth, text.expose(), nonce).map_err(AuthError::new)?;
            }
        }
        Ok(auth)
    }
}

fn sign_as_nkey(auth: &mut Auth, seed: &str, nonce: &[u8]) -> Option<()> {
    let (public, signature) = sign(seed.trim(), nonce)?;
    auth.nkey = Some(public);
    auth.signature = Some(signature);
    Some(())
}

fn sign_as_user(auth: &mut Auth, text: &str, nonce: &[u8]) -> Result<(), &'static str> {
    let (jwt, seed) = jwt_and_seed(text).ok_or("it is no credentials file (.creds)")?;
    let (_, signature) = sign(seed, nonce).ok_or("its seed is not valid")?;
    auth.jwt = Some(jwt.to_owned());
    auth.signature = Some(signature);
    Ok(())
}

fn sign(seed: &str, nonce: &[u8]) -> Option<(String, Vec<u8>)> {
    let pair = KeyPair::from_seed(seed).ok()?;
    Some((pair.public_key(), pair.sign(nonce).ok()?))
}

async fn read(path: &Path) -> Result<String, AuthError> {
    let text = async {
        let mut text = String::new();
        let file = File::open(path).await?;
        if file.take(MAX_FILE + 1).read_to_string(&mut text).await? as u64 > MAX_FILE {
            return Err(io::Error::other("it is far too long"));
        }
        Ok(text)
    };
    text.await.map_err(|error| refused(path, error))
}

fn refused(path: &Path, why: impl std::fmt::Display) -> AuthError {
    AuthError::new(format!("{}: {why}", path.display()))
}

/// The two blocks of a credentials file: the JWT and the seed.
fn jwt_and_seed(text: &str) -> Option<(&str, &str)> {
    let block = |name: &str| {
        let begins = |line: &&str| line.starts_with("---") && line.contains(name);
        let mut after = lines(text).skip_while(|line| !begins(line)).skip(1);
        after.next().filter(|line| !line.starts_with("---"))
    };
    Some((
        block("BEGIN NATS USER JWT")?,
        block("BEGIN USER NKEY SEED")?,
    ))
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "-----BEGIN NATS USER JWT-----\r\neyJ0.eyJq.sig\r\n------END NATS USER JWT------\r\n\
        \r\n*** IMPORTANT ***\r\nkeep it\r\n\r\n-----BEGIN USER NKEY SEED-----\r\nSUABC\r\n------END USER NKEY SEED------\r\n";

    #[test]
    fn a_credentials_file_has_a_jwt_and_a_seed() {
        assert_eq!(jwt_and_seed(FILE), Some(("eyJ0.eyJq.sig", "SUABC")));
        for cut in ["", "SUABC", &FILE[..40], &FILE.replace("SUABC\r\n", "")] {
            assert_eq!(jwt_and_seed(cut), None, "{cut:?}");
        }
    }

    #[test]
    fn several_ways_and_a_broken_seed_are_refused_without_a_dial() {
        let seed = |text: &str| Configured {
            nkey_seed: Some(Secret::new(text)),
            ..Configured::default()
        };
        let good = KeyPair::new_user().seed().unwrap();
        assert_eq!(Proof::check(&seed(&good)), Ok(()));
        assert!(Proof::check(&seed("SUX")).is_err());
        let mut both = seed(&good);
        both.credentials_file = Some("a.creds".into());
        assert!(Proof::check(&both).is_err());
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_refused_and_not_shown() {
        for credentials in [
            Credentials::NkeySeed(Secret::new("SUhunter2")),
            Credentials::Creds(Secret::new("hunter2")),
        ] {
            let shown = format!("{credentials:?}");
            let error = Proof::from(credentials).present(b"n").await.err().unwrap();
            assert!(!format!("{error} {error:?} {shown}").contains("hunter2"));
        }
    }

    #[tokio::test]
    async fn a_credentials_text_gives_its_jwt_and_signs() {
        let pair = KeyPair::new_user();
        let text = FILE.replace("SUABC", &pair.seed().unwrap());
        let proof = Proof::from(Credentials::Creds(Secret::new(text)));
        let auth = proof.present(b"n").await.unwrap();
        assert_eq!(auth.jwt.as_deref(), Some("eyJ0.eyJq.sig"));
        pair.verify(b"n", &auth.signature.unwrap()).unwrap();
    }

    proptest::proptest! {
        #[test]
        fn no_file_panics(text in "(-----BEGIN NATS USER JWT-----\n|-----BEGIN USER NKEY SEED-----\n|SU|\n|\\PC){0,20}") {
            let _outcome = jwt_and_seed(&text).map(|(_, seed)| sign(seed, b"nonce"));
        }
    }
}
