//! Credentials that change.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use naq_config::Secret;
use naq_config::settings::NatsSettings;
use naq_connection::{
    ConnectionErrorKind, ConnectionService, Credentials, DEFAULT_PROFILE, EventKind, Failure,
    Phase, StartMode,
};
use tokio::time::timeout;

use crate::server::TestServer;
use crate::{SOON, settings};

const USERS: &str =
    "authorization { users: [{ user: alice, password: one }, { user: bob, password: two }] }";

/// The user to be, and how often it was asked for.
#[derive(Clone)]
struct Vault(Arc<Mutex<(&'static str, &'static str, usize)>>);

impl Vault {
    fn with(name: &'static str, password: &'static str) -> Self {
        Self(Arc::new(Mutex::new((name, password, 0))))
    }

    fn put(&self, name: &'static str, password: &'static str) {
        let mut vault = self.0.lock().unwrap();
        (vault.0, vault.1) = (name, password);
    }

    fn asked(&self) -> usize {
        self.0.lock().unwrap().2
    }

    async fn service(&self, settings: NatsSettings) -> ConnectionService {
        let vault = self.clone();
        let provider = move || {
            let vault = vault.clone();
            async move {
                let mut vault = vault.0.lock().unwrap();
                vault.2 += 1;
                match vault.0 {
                    "" => Err("the vault is sealed"),
                    name => Ok(Credentials::User {
                        name: name.to_owned(),
                        password: Secret::new(vault.1),
                    }),
                }
            }
        };
        ConnectionService::builder()
            .profile(DEFAULT_PROFILE, settings)
            .credentials(DEFAULT_PROFILE, provider)
            .start(StartMode::Lazy)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn a_rotation_brings_new_credentials_to_new_leases_at_once_and_to_old_ones_in_time() {
    let server = TestServer::start_with(USERS).await;
    let vault = Vault::with("alice", "one");
    let service = vault
        .service(NatsSettings {
            drain_timeout: Duration::from_millis(300),
            ..settings(&server.url())
        })
        .await;
    let old = service.connection().await.unwrap();
    let mut states = old.states();
    let before = old.state();
    assert_eq!(server.users().await, ["alice"]);
    vault.put("bob", "two");
    service.rotate(DEFAULT_PROFILE).await.unwrap();
    let mut users = server.users().await;
    users.sort();
    assert_eq!(users, ["alice", "bob"]);
    let moved = states.wait_for(|s| s.is_connected() && s.epoch > before.epoch);
    timeout(SOON, moved).await.unwrap().unwrap();
    assert_eq!(server.users().await, ["bob", "bob"]);
    old.flush_confirmed().await.unwrap();
}

#[tokio::test]
async fn a_rotation_to_credentials_that_are_refused_leaves_the_old_connection() {
    let server = TestServer::start_with(USERS).await;
    let vault = Vault::with("alice", "one");
    let service = vault.service(settings(&server.url())).await;
    let connection = service.connection().await.unwrap();
    let mut events = service.events();
    vault.put("alice", "wr0ng");
    let error = service.rotate(DEFAULT_PROFILE).await.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::AuthFailed);
    let event = timeout(SOON, events.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(
        matches!(event.kind, EventKind::ReplaceFailed { .. }),
        "{event:?}"
    );
    connection.flush_confirmed().await.unwrap();
    drop(service.connection().await.unwrap());
    assert_eq!(server.users().await, ["alice"]);
}

#[tokio::test]
async fn a_provider_that_fails_is_no_refusal() {
    let server = TestServer::start_with(USERS).await;
    let vault = Vault::with("", "");
    let service = vault.service(settings(&server.url())).await;
    let error = service.connection().await.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::Credentials);
    assert!(error.is_transient() && error.to_string().contains("sealed"));

    vault.put("alice", "one");
    crate::until("it connects", async || service.connection().await.is_ok()).await;
    let connection = service.connection().await.unwrap();
    let mut states = connection.states();
    // While it is lost, the provider fails for a while: attempts go on until it is back.
    vault.put("", "");
    let asked = vault.asked();
    server.restart().await;
    crate::until("it is asked again and again", async || {
        vault.asked() > asked + 3
    })
    .await;
    vault.put("alice", "one");
    let back = states.wait_for(|s| s.is_connected() && s.epoch > 1);
    timeout(SOON, back).await.unwrap().unwrap();
}

#[tokio::test]
async fn credentials_that_are_asked_for_anew_save_a_reconnect() {
    let old = TestServer::start_with("authorization { user: alice, password: one }").await;
    let vault = Vault::with("alice", "one");
    let service = vault.service(settings(&old.url())).await;
    let connection = service.connection().await.unwrap();
    let mut states = connection.states();
    vault.put("alice", "two");
    old.kill().await;
    let config = "authorization { user: alice, password: two }";
    let _new = TestServer::start_on(old.port(), config).await;
    let back = states.wait_for(|s| s.is_connected() && s.epoch > 1);
    timeout(SOON, back).await.unwrap().unwrap();
    connection.flush_confirmed().await.unwrap();
}

#[tokio::test]
async fn credentials_that_are_refused_twice_at_a_reconnect_end_it() {
    let old = TestServer::start_with("authorization { user: alice, password: one }").await;
    let vault = Vault::with("alice", "one");
    let service = vault.service(settings(&old.url())).await;
    let connection = service.connection().await.unwrap();
    let (mut states, mut events) = (connection.states(), service.events());
    let asked = vault.asked();
    old.kill().await;
    let config = "authorization { user: alice, password: two }";
    let new = TestServer::start_on(old.port(), config).await;
    let end = states.wait_for(|s| s.is_terminal());
    let end = *timeout(SOON, end).await.unwrap().unwrap();
    let reason = Failure::Auth;
    assert_eq!(end.phase, Phase::Failed { reason });
    assert!(
        vault.asked() >= asked + 2,
        "it is asked before each attempt"
    );
    let error = connection.request("a", "").await.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::AuthFailed);
    assert!(!error.is_transient());
    let refused = async {
        loop {
            let event = events.next().await.unwrap().unwrap();
            if matches!(event.kind, EventKind::AuthFailed) {
                return;
            }
        }
    };
    timeout(SOON, refused).await.unwrap();
    // Nobody goes on trying; the next lease does, once.
    assert_eq!(
        *service.connection().await.unwrap_err().kind(),
        ConnectionErrorKind::AuthFailed
    );
    vault.put("alice", "two");
    crate::until("new leases work", async || {
        service.connection().await.is_ok()
    })
    .await;
    assert_eq!(new.users().await, ["alice"]);
}
