//! Other settings for a running service.

use std::time::Duration;

use naq_config::settings::NatsSettings;
use naq_connection::{
    ConnectionErrorKind, ConnectionService, DEFAULT_PROFILE, ProfileReload, StartMode,
};

use crate::requests::Load;
use crate::server::TestServer;
use crate::{SOON, settings, setup, until};

fn named(server: &TestServer, name: &str) -> NatsSettings {
    NatsSettings {
        client_name: name.to_owned(),
        ..settings(&server.url())
    }
}

async fn names(server: &TestServer) -> Vec<String> {
    let clients = server.connections().await;
    let name = |client: &serde_json::Value| client["name"].as_str().unwrap().to_owned();
    let mut names: Vec<_> = clients.iter().map(name).collect();
    names.sort();
    names
}

async fn two_profiles(server: &TestServer) -> ConnectionService {
    ConnectionService::builder()
        .profile(DEFAULT_PROFILE, named(server, "one"))
        .profile("other", named(server, "other"))
        .start(StartMode::FailFast)
        .await
        .unwrap()
}

#[tokio::test]
async fn what_is_the_same_stays_what_is_other_is_replaced_and_what_is_new_waits_for_its_first_use()
{
    let server = TestServer::start().await;
    let service = two_profiles(&server).await;
    let profiles = [
        (DEFAULT_PROFILE.to_owned(), named(&server, "one")),
        ("other".to_owned(), named(&server, "changed")),
        ("new".to_owned(), named(&server, "new")),
    ];
    let report = service.reload(profiles).await.unwrap();
    assert!(report.is_complete());
    assert!(matches!(
        report.get(DEFAULT_PROFILE),
        Some(ProfileReload::Unchanged)
    ));
    assert!(matches!(report.get("other"), Some(ProfileReload::Changed)));
    assert!(matches!(report.get("new"), Some(ProfileReload::Added)));
    until("the old one is closed", async || {
        names(&server).await == ["changed", "one"]
    })
    .await;
    server.has_connected(3).await;
    drop(service.connection_for("new").await.unwrap());
    assert_eq!(names(&server).await, ["changed", "new", "one"]);
}

#[tokio::test]
async fn a_removed_profile_gives_no_leases_and_serves_those_that_are_out() {
    let server = TestServer::start().await;
    let service = two_profiles(&server).await;
    let lease = service.connection_for("other").await.unwrap();
    let report = service
        .reload([(DEFAULT_PROFILE.to_owned(), named(&server, "one"))])
        .await
        .unwrap();
    assert!(matches!(report.get("other"), Some(ProfileReload::Removed)));
    let error = service.connection_for("other").await.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::UnknownProfile);
    lease.publish("a", "b").await.unwrap();
    lease.flush_confirmed().await.unwrap();
    drop(lease);
    until("its connection is closed", async || {
        names(&server).await == ["one"]
    })
    .await;
}

#[tokio::test]
async fn shutdown_waits_for_leases_of_removed_profiles_too() {
    let server = TestServer::start().await;
    let service = two_profiles(&server).await;
    let lease = service.connection_for("other").await.unwrap();
    let kept = [(DEFAULT_PROFILE.to_owned(), named(&server, "one"))];
    service.reload(kept).await.unwrap();
    lease.publish("a", "b").await.unwrap();
    let report = service.shutdown(Duration::from_millis(400)).await;
    assert_eq!(
        (report.leases_outstanding, report.connections_closed),
        (1, 2)
    );
    assert!(report.flushed(), "{report:?}");
    until("no connection is left", async || {
        names(&server).await.is_empty()
    })
    .await;
}

#[tokio::test]
async fn settings_that_do_not_connect_leave_the_old_connection_and_the_others_go_on() {
    let server = TestServer::start().await;
    let service = two_profiles(&server).await;
    let mut dead = named(&server, "dead");
    dead.servers = vec!["nats://127.0.0.1:1".to_owned()];
    let profiles = [
        (DEFAULT_PROFILE.to_owned(), dead),
        ("other".to_owned(), named(&server, "changed")),
    ];
    let report = service.reload(profiles).await.unwrap();
    assert!(!report.is_complete());
    let Some(ProfileReload::Failed(error)) = report.get(DEFAULT_PROFILE) else {
        panic!("{report:?}")
    };
    assert_eq!(*error.kind(), ConnectionErrorKind::Connect);
    until("the other one is replaced", async || {
        names(&server).await == ["changed", "one"]
    })
    .await;
    let connection = service.connection().await.unwrap();
    connection.flush_confirmed().await.unwrap();
}

#[tokio::test]
async fn settings_that_can_not_be_used_change_nothing_at_all() {
    let (server, service) = setup().await;
    drop(service.connection().await.unwrap());
    let profiles = [
        (DEFAULT_PROFILE.to_owned(), settings("http://nowhere")),
        ("new".to_owned(), settings(&server.url())),
    ];
    let error = service.reload(profiles).await.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::InvalidSettings);
    assert!(service.state_of("new").is_err());
    assert_eq!(server.total_connects().await, 1);
}

#[tokio::test]
async fn a_service_that_never_connected_takes_new_settings_for_its_first_dial() {
    let (server, _) = setup().await;
    let service = ConnectionService::new(settings("nats://127.0.0.1:1"));
    let profiles = [(DEFAULT_PROFILE.to_owned(), settings(&server.url()))];
    let report = service.reload(profiles).await.unwrap();
    assert!(matches!(
        report.get(DEFAULT_PROFILE),
        Some(ProfileReload::Changed)
    ));
    service.connection().await.unwrap();
    service.shutdown(SOON).await;
    let error = service.reload([]).await.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::ShuttingDown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_to_another_server_under_load_fails_nothing() {
    let (server, service) = setup().await;
    let (target, _) = setup().await;
    // Each server has a responder of its own.
    let at_first = ConnectionService::new(settings(&server.url()));
    let later = ConnectionService::new(settings(&target.url()));
    let second = Load::start(&later, later.connection().await.unwrap()).await;
    let load = Load::start(&service, at_first.connection().await.unwrap()).await;
    let profiles = [(DEFAULT_PROFILE.to_owned(), settings(&target.url()))];
    let report = service.reload(profiles).await.unwrap();
    assert!(report.is_complete());
    load.some_more().await;
    let outcome = load.stop().await;
    println!("{} requests, worst {:?}", outcome.done, outcome.worst);
    assert!(outcome.failed.is_empty(), "{outcome:?}");
    assert!(second.stop().await.failed.is_empty());
    until("the old one is closed", async || {
        server.connections().await.len() == 1
    })
    .await;
}

#[tokio::test]
async fn a_service_follows_its_file_and_a_bad_one_changes_nothing() {
    let (server, service) = setup().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("naq.yaml");
    let write = |name: &str| {
        let text = format!("nats: {{servers: ['{}'], {name}}}\n", server.url());
        let new = dir.path().join("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, &file).unwrap();
    };
    let is_called = async |name: &str| names(&server).await == [name];
    write("client_name: first");
    drop(service.connection().await.unwrap());
    assert_eq!(names(&server).await, ["naq-client"]);

    let loader = naq_config::Loader::new().file(&file);
    let following = service
        .follow(loader, |settings| {
            vec![(DEFAULT_PROFILE.to_owned(), settings.nats.clone())]
        })
        .unwrap();
    until("the file is taken", async || is_called("first").await).await;
    write("client_name: second");
    until("a change is taken", async || is_called("second").await).await;
    // One that can't be read, and one by which nobody answers.
    write("client_name: [");
    write("connection_timeout: nonsense");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    std::fs::write(
        &file,
        format!(
            "nats: {{servers: ['nats://{}'], connection_timeout: 0.2}}\n",
            port.local_addr().unwrap()
        ),
    )
    .unwrap();
    write("client_name: third");
    until("a good one is taken again", async || {
        is_called("third").await
    })
    .await;
    service
        .connection()
        .await
        .unwrap()
        .flush_confirmed()
        .await
        .unwrap();
    drop(following);
    assert_eq!(service.shutdown(SOON).await.connections_closed, 1);
}
