//! The doctor, in front of healthy and of ill servers.

use std::collections::BTreeMap;
use std::time::Duration;

use naq_config::Secret;
use naq_config::settings::{Auth, NatsSettings, Tls};
use naq_connection::doctor::{Check, Expectations, Finding, Verdict, examine};
use tokio::net::TcpListener;

use crate::server::TestServer;
use crate::settings;
use crate::tls::Authority;

/// Enough for an answer, short enough for those that wait for none.
fn briefly() -> Expectations {
    Expectations {
        step_limit: Duration::from_secs(2),
        ..Expectations::default()
    }
}

async fn look(settings: &NatsSettings, expectations: &Expectations) -> Vec<Finding> {
    let mut told = Vec::new();
    let findings = examine(settings, expectations, |finding| told.push(finding.clone())).await;
    assert_eq!(told, findings);
    for check in Check::ALL {
        assert!(
            findings.iter().any(|f| f.check == check),
            "{check} in {findings:?}"
        );
    }
    findings
}

fn of(findings: &[Finding], check: Check) -> &Finding {
    findings.iter().find(|f| f.check == check).unwrap()
}

/// The first error, after which nothing is well.
fn first_error(findings: &[Finding]) -> &Finding {
    let at = findings
        .iter()
        .position(|f| f.verdict == Verdict::Error)
        .unwrap();
    assert!(findings[at].remedy.is_some(), "{findings:?}");
    for later in &findings[at + 1..] {
        assert!(
            matches!(later.verdict, Verdict::Skipped | Verdict::Error),
            "{findings:?}"
        );
    }
    &findings[at]
}

#[tokio::test]
async fn a_healthy_server_has_no_error_and_no_warning_and_keeps_nothing() {
    let server = TestServer::start_with("jetstream { sync_interval: always }").await;
    let expectations = Expectations {
        minimum_version: Some((2, 14)),
        monitor: Some(server.monitoring_url()),
        ..briefly()
    };
    let findings = look(&settings(&server.url()), &expectations).await;
    let verdicts: BTreeMap<_, _> = findings.iter().map(|f| (f.check, f.verdict)).collect();
    assert!(verdicts.values().all(|v| *v == Verdict::Ok), "{findings:?}");
    crate::until("the doctor has gone", async || {
        server.connections().await.is_empty()
    })
    .await;
}

#[tokio::test]
async fn what_a_client_cannot_see_is_said_and_not_guessed() {
    let server = TestServer::start().await;
    let findings = look(&settings(&server.url()), &briefly()).await;
    let fsync = of(&findings, Check::Fsync);
    assert_eq!(fsync.verdict, Verdict::Skipped);
    assert!(fsync.found.contains("sync_interval"), "{fsync:?}");
    assert_eq!(of(&findings, Check::Clock).verdict, Verdict::Skipped);
}

#[tokio::test]
async fn a_port_without_a_nats_server_is_told_from_a_closed_and_from_a_silent_one() {
    let server = TestServer::start().await;
    let http = server.monitoring_url().replace("http://", "nats://");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("nats://{}", listener.local_addr().unwrap());
    let closed = "nats://127.0.0.1:1".to_owned();
    for (url, check) in [
        (closed, Check::Tcp),
        (http, Check::Greeting),
        (silent, Check::Greeting),
    ] {
        let findings = look(&settings(&url), &briefly()).await;
        assert_eq!(first_error(&findings).check, check, "{url}");
    }
    let findings = look(&settings("nats://no-such-host.invalid:4222"), &briefly()).await;
    assert_eq!(first_error(&findings).check, Check::Lookup);
}

#[tokio::test]
async fn a_dead_server_beside_a_live_one_is_a_warning() {
    let server = TestServer::start().await;
    let mut both = settings("nats://127.0.0.1:1");
    both.servers.push(server.url());
    let findings = look(&both, &briefly()).await;
    assert!(
        findings.iter().all(|f| f.verdict != Verdict::Error),
        "{findings:?}"
    );
    let tcp: Vec<_> = findings
        .iter()
        .filter(|f| f.check == Check::Tcp)
        .map(|f| f.verdict)
        .collect();
    assert_eq!(tcp, [Verdict::Warning, Verdict::Ok]);
}

#[tokio::test]
async fn refused_credentials_and_a_strange_certificate_are_named_with_the_key_to_set() {
    let guarded = TestServer::start_with("authorization { user: alice, password: s3cret }").await;
    let wrong = NatsSettings {
        auth: Auth {
            username: Some("alice".to_owned()),
            password: Some(Secret::new("hunter2")),
            ..Auth::default()
        },
        ..settings(&guarded.url())
    };
    let findings = look(&wrong, &briefly()).await;
    assert_eq!(first_error(&findings).check, Check::Auth);
    assert!(!format!("{findings:?}").contains("hunter2"));

    let authority = Authority::new();
    let server = TestServer::start_with(&authority.server_block("")).await;
    let with = |ca_file| NatsSettings {
        tls: Tls {
            ca_file: Some(ca_file),
            ..Tls::default()
        },
        ..settings(&server.url())
    };
    let findings = look(&with(Authority::new().file("ca.pem")), &briefly()).await;
    assert_eq!(first_error(&findings).check, Check::Tls);
    let findings = look(&with(authority.file("ca.pem")), &briefly()).await;
    assert_eq!(of(&findings, Check::Tls).verdict, Verdict::Ok);
}

#[tokio::test]
async fn missing_permissions_are_told_apart() {
    let server = TestServer::start_with(
        "authorization { users: [
            { user: deaf, password: p, permissions: { subscribe: { deny: \"_INBOX.>\" } } }
            { user: mute, password: p, permissions: { publish: { deny: \"$JS.API.>\" } } }
        ] }",
    )
    .await;
    for (user, check) in [("deaf", Check::Permissions), ("mute", Check::JetStream)] {
        let url = server.url().replace("://", &format!("://{user}:p@"));
        let findings = look(&settings(&url), &briefly()).await;
        let error = first_error(&findings);
        assert_eq!(error.check, check, "{error:?}");
        assert_eq!(of(&findings, Check::Auth).verdict, Verdict::Ok);
    }
}

#[tokio::test]
async fn an_old_server_and_copies_that_cannot_be_are_errors() {
    let server = TestServer::start().await;
    let demanding = Expectations {
        minimum_version: Some((99, 0)),
        replicas: 3,
        ..briefly()
    };
    let findings = look(&settings(&server.url()), &demanding).await;
    for check in [Check::Version, Check::Replicas] {
        assert_eq!(of(&findings, check).verdict, Verdict::Error, "{check}");
    }
}

#[tokio::test]
async fn settings_that_cannot_work_are_an_error_without_a_dial() {
    let findings = look(&settings("ftp://localhost"), &briefly()).await;
    assert_eq!(first_error(&findings).check, Check::Settings);
}
