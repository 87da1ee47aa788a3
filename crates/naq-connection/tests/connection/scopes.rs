//! Scopes: guards, closures, the service of the runtime, and the one record of a failure.

use std::process::Command;
use std::time::Duration;

use naq_connection::{
    ConnectionError, ConnectionErrorKind, ConnectionService, Lane, StreamConfig, get_config,
    get_connection_metrics, global, jetstream_context, measure_connection_performance, monitored,
    nats_connection, nats_jetstream, shutdown_global, test_nats_connection,
    wait_for_nats_connection, with_jetstream, with_nats_connection,
};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::records::Log;
use crate::server::TestServer;
use crate::{SOON, settings, setup};

/// A server, and a service on it that is this runtime's.
async fn setup_global() -> (TestServer, ConnectionService) {
    let (server, service) = setup().await;
    assert!(service.install_global().unwrap().is_none());
    (server, service)
}

fn stream(name: &str) -> StreamConfig {
    StreamConfig {
        name: name.to_owned(),
        subjects: vec![format!("{name}.*")],
        ..StreamConfig::default()
    }
}

#[derive(Debug)]
enum AppError {
    Connection(ConnectionError),
    Mine(&'static str),
}

impl From<ConnectionError> for AppError {
    fn from(error: ConnectionError) -> Self {
        Self::Connection(error)
    }
}

#[tokio::test]
async fn a_hundred_publishes_in_a_scope_reach_an_independent_subscriber_on_one_connection() {
    let (server, service) = setup_global().await;
    let other = ConnectionService::new(settings(&server.url()));
    let listener = other.connection().await.unwrap();
    let mut subscription = listener.subscribe("scope.>").await.unwrap();
    listener.flush_confirmed().await.unwrap();
    let before = server.total_connects().await;

    let connection = nats_connection().await.unwrap();
    for n in 0..100 {
        let subject = format!("scope.{n}");
        connection.publish(subject, "hello").await.unwrap();
    }
    connection.flush_confirmed().await.unwrap();
    for n in 0..100 {
        let message = tokio::time::timeout(SOON, subscription.next()).await;
        let message = message.unwrap().unwrap();
        assert_eq!(message.subject.as_str(), format!("scope.{n}"));
    }
    drop(connection);

    server.has_connected(before + 1).await;
    assert_eq!(service.leases(), 0);
    let report = shutdown_global(SOON).await.unwrap();
    assert_eq!((report.connections_closed, report.unconfirmed), (1, 0));
    crate::until("only the listener's is left", async || {
        server.connections().await.len() == 1
    })
    .await;
}

#[tokio::test]
async fn the_given_service_profile_and_lane_are_the_ones_that_are_dialled() {
    let (server, _service) = setup_global().await;
    let mut billing = settings(&server.url());
    billing.client_name = "billing".to_owned();
    let other = ConnectionService::builder().profile("billing", billing);
    let other = other.start(naq_connection::StartMode::Lazy).await.unwrap();

    let scope = nats_connection().on(&other).profile("billing");
    let _lease = scope.lane(Lane::Bulk).timeout(SOON).await.unwrap();
    let names: Vec<_> = server.connections().await;
    assert_eq!(names.len(), 1);
    assert_eq!(names[0]["name"], "billing (bulk)");

    let error = nats_connection().profile("billing").await.unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::UnknownProfile);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closures_run_in_spawned_tasks_and_borrow_what_is_around_them() {
    let (server, service) = setup_global().await;
    let mut tasks = JoinSet::new();
    for n in 0..20 {
        tasks.spawn(async move {
            let subject = format!("spawned.{n}");
            let (subject, mut calls) = (&subject, 0);
            let counted = &mut calls;
            let seen = with_nats_connection(async |connection| {
                *counted += 1;
                connection.publish(subject.clone(), "x").await?;
                connection.flush_confirmed().await?;
                Ok::<_, ConnectionError>(subject.len())
            });
            assert_eq!(seen.await.unwrap(), subject.len());
            calls
        });
    }
    let calls: u32 = tasks.join_all().await.into_iter().sum();
    assert_eq!((calls, service.leases()), (20, 0));
    assert_eq!(server.total_connects().await, 1);
}

#[tokio::test]
async fn the_error_of_the_body_comes_out_unchanged_and_without_a_record() {
    let (log, _guard) = Log::start();
    let (_server, service) = setup_global().await;
    let result = with_nats_connection(async |_| Err::<(), _>(AppError::Mine("as planned"))).await;
    assert!(matches!(result, Err(AppError::Mine("as planned"))));
    assert_eq!(service.leases(), 0);
    assert_eq!(log.ours("ERROR"), Vec::<String>::new());
}

#[tokio::test]
async fn a_failure_is_one_record_whatever_the_number_of_scopes_that_it_passes() {
    let (log, _guard) = Log::start();
    let (_server, _service) = setup_global().await;
    let result: Result<(), ConnectionError> = with_nats_connection(async |_| {
        with_jetstream(async |js| {
            with_nats_connection(async |inner| {
                let info = js.get_stream("missing").await?;
                inner
                    .publish("x", info.cached_info().config.name.clone())
                    .await
            })
            .await
        })
        .await
    })
    .await;
    let error = result.unwrap_err();
    let ConnectionErrorKind::Api { code, err_code, .. } = error.kind() else {
        panic!("{error}")
    };
    assert_eq!((*code, *err_code), (404, 10059));
    let errors = log.ours("ERROR");
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(errors[0].contains(&format!("NATS connection error: {error}")));
}

#[tokio::test]
async fn a_failure_in_a_jetstream_scope_is_recorded_as_such() {
    let (log, _guard) = Log::start();
    let (_server, _service) = setup_global().await;
    let error = with_nats_connection(async |_| {
        with_jetstream(async |js| {
            js.get_stream("missing").await?;
            Ok::<_, ConnectionError>(())
        })
        .await
    });
    let error = error.await.unwrap_err();
    let errors = log.ours("ERROR");
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(errors[0].contains(&format!("JetStream context error: {error}")));
}

#[tokio::test]
async fn an_unreachable_server_is_one_record_for_nested_scopes_and_leaves_nothing() {
    let (log, _guard) = Log::start();
    let service = ConnectionService::new(settings("nats://127.0.0.1:1"));
    service.install_global().unwrap();
    let outer = with_jetstream(async |_| Ok::<_, AppError>(())).await;
    let Err(AppError::Connection(error)) = outer else {
        panic!("{outer:?}")
    };
    assert_eq!(*error.kind(), ConnectionErrorKind::Connect);
    let errors = log.ours("ERROR");
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(errors[0].contains(&format!("NATS connection error: {error}")));
    assert_eq!(service.leases(), 0);
}

#[tokio::test]
async fn confirming_on_exit_proves_the_arrival_and_runs_only_after_a_success() {
    let (server, _service) = setup_global().await;
    let scope = nats_connection().confirm_on_exit();
    let publish =
        async |connection: &naq_connection::Connection| connection.publish("confirmed", "x").await;
    scope.clone().run(publish).await.unwrap();
    assert_eq!(global().unwrap().leases(), 0);
    // The server has read the message, and the question after it.
    let read = server.in_msgs().await;
    assert!(read >= 2, "{read}");

    let failed = scope
        .run(async |_| Err::<(), _>(AppError::Mine("no")))
        .await;
    assert!(matches!(failed, Err(AppError::Mine("no"))));
    assert_eq!(server.in_msgs().await, read, "nothing was asked");
}

#[tokio::test]
async fn one_connection_serves_as_connection_and_as_jetstream() {
    let (server, service) = setup_global().await;
    let (connection, js) = nats_jetstream().await.unwrap();
    let mut made = js.create_stream(stream("mystream")).await.unwrap();
    let ack = connection.publish_acked("mystream.a", Default::default(), "x");
    assert_eq!(ack.await.unwrap().sequence, 1);
    assert_eq!(made.info().await.unwrap().state.messages, 1);

    // The scope of the context ends; that of the connection does not.
    let nested = jetstream_context(&connection);
    nested.get_stream("mystream").await.unwrap();
    drop(nested);
    connection.flush_confirmed().await.unwrap();
    assert_eq!(server.total_connects().await, 1);

    // JetStream holds a lease of its own.
    drop(connection);
    js.get_stream("mystream").await.unwrap();
    assert_eq!(service.leases(), 1);
    drop(js);
    assert_eq!(service.leases(), 0);
}

#[test]
fn fifty_runtimes_each_have_their_own_service_and_forget_it_when_they_end() {
    let outer = Builder::new_current_thread().enable_all().build().unwrap();
    let server = outer.block_on(TestServer::start());
    for _ in 0..50 {
        // As `#[tokio::test]` does.
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let service = ConnectionService::new(settings(&server.url()));
            assert!(service.install_global().unwrap().is_none());
            with_nats_connection(async |c| {
                c.publish("x", "y").await?;
                c.flush_confirmed().await
            })
            .await
            .unwrap();
            drop(service);
        });
    }
    outer.block_on(async {
        // The server takes a connection off one list before it puts it on the other.
        crate::until("the connections ended with their runtimes", async || {
            server.connections().await.is_empty() && server.total_connects().await == 50
        })
        .await;
        assert!(shutdown_global(SOON).await.is_none());
    });
}

#[tokio::test]
async fn the_utilities_take_a_service_or_none_for_that_of_the_runtime() {
    let (server, service) = setup_global().await;
    assert!(test_nats_connection(None).await && test_nats_connection(&service).await);
    wait_for_nats_connection(None, SOON).await.unwrap();
    let performance = measure_connection_performance(None, 10).await;
    assert_eq!(performance.success_rate.to_bits(), 1.0_f64.to_bits());
    let shown = performance.to_string();
    assert!(shown.starts_with("Average time: 0."), "{shown}");
    assert!(shown.ends_with("s\nSuccess rate: 100.0%"), "{shown}");
    assert!(service.health().await.is_healthy());
    assert_eq!(server.total_connects().await, 1);

    let places = service.limiter("reports").limit();
    let permit = service.limiter("reports").try_acquire().unwrap();
    assert_eq!(service.limiter("reports").available(), places - 1);
    drop(permit);
}

#[test]
fn outside_of_a_runtime_there_is_no_service() {
    let error = global().unwrap_err();
    assert_eq!(*error.kind(), ConnectionErrorKind::NoRuntime);
}

/// The environment can't be changed in a program with threads, so the test starts itself again.
#[tokio::test]
async fn without_an_installed_service_the_environment_says_which_server() {
    const CHILD: &str = "NAQ_TEST_OF_THE_ENVIRONMENT";
    if std::env::var_os(CHILD).is_some() {
        let connection = nats_connection().await.unwrap();
        connection.flush_confirmed().await.unwrap();
        assert_eq!(get_config().unwrap().nats.client_name, "from-outside");
        let unknown = nats_connection().profile("nowhere").await.unwrap_err();
        assert_eq!(*unknown.kind(), ConnectionErrorKind::UnknownProfile);
        // A profile of the configuration has a connection of its own.
        nats_connection().profile("production").await.unwrap();
        // What both did is in the one monitor of the runtime, and so is what was watched.
        monitored("import", async { Ok::<_, ()>(()) })
            .await
            .unwrap();
        let metrics = get_connection_metrics().unwrap();
        assert_eq!((metrics.dials, metrics.active_connections), (2, 1));
        assert_eq!(metrics.operations["import"].succeeded, 1);
        drop(connection);
        assert_eq!(shutdown_global(SOON).await.unwrap().connections_closed, 2);
        return;
    }
    let server = TestServer::start().await;
    let name = "scopes::without_an_installed_service_the_environment_says_which_server";
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", name, "--nocapture"]);
    child.env(CHILD, "1").env("NAQ_NATS_URL", server.url());
    child.env("NAQ_CLIENT_NAME", "from-outside");
    let ended = tokio::task::spawn_blocking(move || child.output());
    let ended = tokio::time::timeout(Duration::from_secs(60), ended).await;
    let output = ended.unwrap().unwrap().unwrap();
    assert!(output.status.success(), "{output:?}");
    server.has_connected(2).await;
}
