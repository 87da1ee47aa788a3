//! Nkeys and credentials files, against servers that know their users by public key only.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use naq_config::Secret;
use naq_config::settings::{Auth, NatsSettings};
use naq_connection::{ConnectionError, ConnectionErrorKind, ConnectionService, StartMode};
use nkeys::KeyPair;
use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::time::timeout;

use crate::server::TestServer;
use crate::{SOON, settings};

async fn try_with(server: &TestServer, auth: Auth) -> Result<(), ConnectionError> {
    let settings = NatsSettings {
        auth,
        ..settings(&server.url())
    };
    let builder = ConnectionService::builder().profile("default", settings);
    let service = builder.start(StartMode::FailFast).await?;
    service.connection().await?.flush_confirmed().await
}

fn kind(outcome: Result<(), ConnectionError>) -> Option<ConnectionErrorKind> {
    outcome.err().map(|error| error.kind().clone())
}

fn seed(user: &KeyPair) -> Auth {
    Auth {
        nkey_seed: Some(Secret::new(user.seed().unwrap())),
        ..Auth::default()
    }
}

fn seed_file(path: &Path) -> Auth {
    Auth {
        nkey_seed_file: Some(path.to_owned()),
        ..Auth::default()
    }
}

fn credentials_file(path: &Path) -> Auth {
    Auth {
        credentials_file: Some(path.to_owned()),
        ..Auth::default()
    }
}

fn users(known: &[&KeyPair]) -> String {
    let entry = |user: &&KeyPair| format!("{{ nkey: {} }}", user.public_key());
    let entries: Vec<_> = known.iter().map(entry).collect();
    format!("authorization {{ users: [{}] }}", entries.join(", "))
}

#[tokio::test]
async fn an_nkey_lets_in_from_the_settings_and_from_a_file() {
    let (user, stranger) = (KeyPair::new_user(), KeyPair::new_user());
    let server = TestServer::start_with(&users(&[&user])).await;
    let dir = tempdir().unwrap();
    let file = dir.path().join("user.nk");
    std::fs::write(&file, format!("# of the tests\n{}\n", user.seed().unwrap())).unwrap();

    assert_eq!(kind(try_with(&server, seed(&user)).await), None);
    assert_eq!(kind(try_with(&server, seed_file(&file)).await), None);
    let refused = try_with(&server, seed(&stranger)).await.unwrap_err();
    assert_eq!(*refused.kind(), ConnectionErrorKind::AuthFailed);
    let secret = stranger.seed().unwrap();
    assert!(!format!("{refused} {refused:?}").contains(&secret));
    let nobody = try_with(&server, Auth::default()).await;
    assert_eq!(kind(nobody), Some(ConnectionErrorKind::AuthFailed));
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named_and_its_content_is_not() {
    let server = TestServer::start_with(&users(&[&KeyPair::new_user()])).await;
    let dir = tempdir().unwrap();
    let wrong = dir.path().join("wrong");
    std::fs::write(&wrong, "SUhunter2\n").unwrap();
    let missing = dir.path().join("missing");
    for (auth, path) in [
        (seed_file(&wrong), &wrong),
        (seed_file(&missing), &missing),
        (credentials_file(&wrong), &wrong),
        (credentials_file(&missing), &missing),
        // Endless, if it were read to its end.
        (seed_file(Path::new("/dev/zero")), &"/dev/zero".into()),
    ] {
        let error = try_with(&server, auth).await.unwrap_err();
        assert_eq!(*error.kind(), ConnectionErrorKind::AuthFailed);
        let text = format!("{error} {error:?}");
        assert!(text.contains(&path.display().to_string()), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn a_new_seed_in_the_file_is_used_at_the_next_reconnect() {
    let (old, new) = (KeyPair::new_user(), KeyPair::new_user());
    let dir = tempdir().unwrap();
    let config = dir.path().join("users.conf");
    std::fs::write(&config, users(&[&old])).unwrap();
    let file = dir.path().join("user.nk");
    std::fs::write(&file, old.seed().unwrap()).unwrap();
    // The server takes every path as one below its own directory.
    let include = format!("include \"../../../../../..{}\"", config.display());
    let server = TestServer::start_with(&include).await;
    let service = ConnectionService::new(NatsSettings {
        auth: seed_file(&file),
        ..settings(&server.url())
    });
    let connection = service.connection().await.unwrap();
    std::fs::write(&config, users(&[&new])).unwrap();
    std::fs::write(&file, new.seed().unwrap()).unwrap();
    server.restart().await;
    let mut states = connection.states();
    timeout(SOON, states.wait_for(|s| s.epoch == 2))
        .await
        .unwrap()
        .unwrap();
    connection.flush_confirmed().await.unwrap();
}

/// A server whose users have JWTs: an operator, an account for the system, an account of ours.
struct Operator {
    account: KeyPair,
    config: String,
}

impl Operator {
    fn new() -> Self {
        let (operator, account, system) = (
            KeyPair::new_operator(),
            KeyPair::new_account(),
            KeyPair::new_account(),
        );
        let limits = json!({"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1});
        let account_jwt = |pair: &KeyPair| {
            token(
                pair,
                &operator,
                json!({"type": "account", "version": 2, "limits": limits}),
            )
        };
        let config = format!(
            "operator: {}\nsystem_account: {system_id}\nresolver: MEMORY\n\
             resolver_preload: {{ {}: {}, {system_id}: {} }}",
            token(
                &operator,
                &operator,
                json!({"type": "operator", "version": 2})
            ),
            account.public_key(),
            account_jwt(&account),
            account_jwt(&system),
            system_id = system.public_key(),
        );
        Self { account, config }
    }

    /// The text of a credentials file.
    fn credentials(&self, signer: &KeyPair) -> String {
        let user = KeyPair::new_user();
        let claims = json!({"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1, "pub": {}, "sub": {}});
        format!(
            "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
            token(&user, signer, claims),
            user.seed().unwrap()
        )
    }
}

/// A JWT as the server reads it.
fn token(subject: &KeyPair, issuer: &KeyPair, claims: Value) -> String {
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(json!({"typ": "JWT", "alg": "ed25519-nkey"}));
    let body = part(json!({
        "jti": "test", "iat": 1_700_000_000, "name": "test",
        "iss": issuer.public_key(), "sub": subject.public_key(), "nats": claims,
    }));
    let signature = issuer.sign(format!("{head}.{body}").as_bytes()).unwrap();
    format!("{head}.{body}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test]
async fn a_credentials_file_lets_in_and_one_of_another_account_does_not() {
    let operator = Operator::new();
    let server = TestServer::start_with(&operator.config).await;
    let dir = tempdir().unwrap();
    let file = dir.path().join("user.creds");
    std::fs::write(&file, operator.credentials(&operator.account)).unwrap();
    assert_eq!(kind(try_with(&server, credentials_file(&file)).await), None);
    std::fs::write(&file, operator.credentials(&KeyPair::new_account())).unwrap();
    let refused = timeout(
        Duration::from_secs(10),
        try_with(&server, credentials_file(&file)),
    )
    .await;
    assert_eq!(
        kind(refused.unwrap()),
        Some(ConnectionErrorKind::AuthFailed)
    );
}
