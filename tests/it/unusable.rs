//! Servers on which jobs cannot be kept: it is said at once and by name, and not after the patience of an election.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use naq_config::Settings;
use naq_embedded::{HeldPort, Lookup};
use naq_jobs::{Jobs, JobsError, JobsErrorKind};
use naq_testing::{TestServer, eventually};

use crate::setup::LONG;

/// Far below the 30 seconds that a program waits for the leader of a cluster.
const SOON: Duration = Duration::from_secs(10);

/// What whoever connects to this server is told; `user` is `name:password@`.
async fn told(config: &'static str, user: &str) -> JobsError {
    let server = TestServer::start_with(|builder| builder.extra_config(config)).await;
    let mut settings = server.settings();
    settings.nats.servers = vec![server.url().replace("://", &format!("://{user}"))];
    let begun = Instant::now();
    let error = Jobs::connect(settings).await.unwrap_err();
    assert!(begun.elapsed() < SOON, "{:?}: {error}", begun.elapsed());
    assert!(!error.is_transient(), "{error}");
    server.stop().await;
    error
}

fn says_what_to_do(error: &JobsError) {
    assert_eq!(error.kind(), JobsErrorKind::Unsupported, "{error}");
    let text = error.to_string();
    assert!(
        text.contains("JetStream is off") && text.contains("naq dev"),
        "{text}"
    );
}

/// What somebody has who starts a server without further thought.
struct Bare(Child);

impl Drop for Bare {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test]
async fn a_server_without_jetstream_is_told_at_once_with_what_to_do() {
    let binary = Lookup::from_process_env().find().await.unwrap().path;
    let port = HeldPort::take().unwrap();
    let mut command = Command::new(binary);
    command.args(["--addr", "127.0.0.1", "--port", &port.number().to_string()]);
    let _server = Bare(command.stderr(Stdio::null()).spawn().unwrap());
    let mut settings = Settings::default();
    settings.nats.servers = vec![format!("nats://127.0.0.1:{}", port.number())];
    let (took, error) = eventually(LONG, async || {
        let begun = Instant::now();
        let error = Jobs::connect(settings.clone()).await.unwrap_err();
        match error.kind() {
            // It is being started.
            JobsErrorKind::Connection => Err(error.to_string()),
            _ => Ok((begun.elapsed(), error)),
        }
    })
    .await;
    says_what_to_do(&error);
    assert!(took < SOON, "{took:?}");
}

#[tokio::test]
async fn an_account_without_jetstream_is_told_at_once_with_what_to_do() {
    let account = "accounts { bare: { users: [{ user: u, password: p }] } }";
    says_what_to_do(&told(account, "u:p@").await);
}

#[tokio::test]
async fn a_user_who_may_not_use_jetstream_is_told_which_permission_is_missing() {
    let config = "authorization { users: [
        { user: mute, password: p, permissions: { publish: { deny: \"$JS.API.>\" } } }
    ] }";
    let error = told(config, "mute:p@").await;
    assert_eq!(error.kind(), JobsErrorKind::Server, "{error}");
    let text = error.to_string();
    assert!(text.contains("$JS.API.STREAM.INFO.naq_jobs"), "{text}");
}
