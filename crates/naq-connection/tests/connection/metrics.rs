//! What the monitor counts, against what really happened.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_nats::HeaderMap;
use naq_connection::{
    AlertRules, ConnectionMetrics, ConnectionMonitor, ConnectionService, DEFAULT_PROFILE, Lane,
    StartMode, connection_monitor, get_connection_metrics, nats_connection,
    reset_connection_metrics,
};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::{SOON, settings, setup, until};

#[tokio::test]
async fn three_scopes_are_three_active_connections_on_one_dial_and_none_when_they_close() {
    let (_server, service) = setup().await;
    assert_eq!(service.metrics(), ConnectionMetrics::default());
    let first = service.connection().await.unwrap();
    let second = service.connection_for(DEFAULT_PROFILE).await.unwrap();
    let third = service.acquire().await.unwrap();
    let open = service.metrics();
    assert_eq!((open.active_connections, open.total_connections), (3, 3));
    assert_eq!((open.dials, open.dial.count), (1, 1));
    assert_eq!(open.acquire.count, 3);
    assert!(open.acquire.max >= open.dial.max && open.dial.max > Duration::ZERO);
    assert_eq!(open.average_connection_time(), open.dial.mean);

    drop((first, second, third));
    let closed = service.metrics();
    assert_eq!(
        (closed.active_connections, closed.total_connections),
        (0, 3)
    );
    assert_eq!(open.active_connections, 3, "a snapshot must not change");
}

#[tokio::test]
async fn a_failed_dial_is_one_failure_and_leaves_nothing_active() {
    let service = ConnectionService::new(settings("nats://127.0.0.1:1"));
    service.connection().await.unwrap_err();
    let metrics = service.metrics();
    assert_eq!((metrics.failed_connections, metrics.failed_dials), (1, 1));
    assert_eq!((metrics.total_connections, metrics.dials), (1, 1));
    assert_eq!(
        (metrics.active_connections, metrics.successful_connections),
        (0, 0)
    );
    assert_eq!(metrics.average_connection_time(), Duration::ZERO);
}

#[tokio::test]
async fn a_caller_that_leaves_during_the_dial_is_cancelled_and_did_not_fail() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let service = ConnectionService::new(settings(&format!(
        "nats://{}",
        silent.local_addr().unwrap()
    )));
    {
        let mut call = std::pin::pin!(service.connection());
        let pending = timeout(Duration::from_millis(20), call.as_mut()).await;
        assert!(pending.is_err());
        let metrics = service.metrics();
        assert_eq!((metrics.connecting, metrics.total_connections), (1, 1));
    }
    let metrics = service.metrics();
    assert_eq!(
        (metrics.cancelled_connections, metrics.failed_connections),
        (1, 0)
    );
    assert_eq!((metrics.connecting, metrics.total_connections), (0, 1));
}

#[tokio::test]
async fn a_reset_is_all_zero_and_open_connections_do_not_drive_active_below_it() {
    let (_server, service) = setup().await;
    let one = service.connection().await.unwrap();
    let two = service.connection().await.unwrap();
    one.publish("a", "b").await.unwrap();
    one.flush_confirmed().await.unwrap();
    service.monitor().operation("report").succeeded();
    service.reset_metrics();
    assert_eq!(service.metrics().active_connections, 2);
    drop(one);
    assert_eq!(service.metrics().active_connections, 1);
    drop(two);
    assert_eq!(service.metrics(), ConnectionMetrics::default());
}

#[tokio::test]
async fn bytes_messages_and_times_are_those_of_the_server() {
    let (server, service) = setup().await;
    let before = server.varz().await;
    let connection = service.connection().await.unwrap();
    for _ in 0..100 {
        connection.publish("news", "0123456789").await.unwrap();
    }
    let metrics = service.metrics();
    assert_eq!((metrics.unconfirmed, metrics.publish.count), (100, 100));
    connection.flush_confirmed().await.unwrap();
    connection.request("nobody", "").await.unwrap_err();

    let metrics = service.metrics();
    let varz = server.varz().await;
    let grown = |key: &str| varz[key].as_u64().unwrap() - before[key].as_u64().unwrap();
    assert_eq!(metrics.messages_out, grown("in_msgs"));
    // The server counts payloads; the client what goes with them too.
    assert!(metrics.bytes_out >= grown("in_bytes"));
    assert_eq!((metrics.unconfirmed, metrics.flush.count), (0, 1));
    assert_eq!(metrics.rtt.count, 1);
    assert!(metrics.rtt.max > Duration::ZERO && metrics.flush.max >= metrics.rtt.max);
    // Without a reply there is no time of one.
    assert_eq!(metrics.request.count, 0);
    let echo = connection.subscribe("echo").await.unwrap();
    answer(echo, &connection).await;
    assert_eq!(service.metrics().request.count, 1);
}

async fn answer(
    mut requests: naq_connection::Subscription,
    connection: &naq_connection::Connection,
) {
    let reply = async {
        let to = requests.next().await.unwrap().reply.unwrap();
        connection.publish(to, "").await.unwrap();
    };
    let (reply, ()) = tokio::join!(connection.request("echo", ""), reply);
    reply.unwrap();
}

#[tokio::test]
async fn reconnects_are_counted_and_what_a_client_did_outlives_it() {
    let (server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    let mut states = connection.states();
    server.restart().await;
    let back = states.wait_for(|s| s.epoch == 2 && s.is_connected());
    timeout(SOON, back).await.unwrap().unwrap();
    assert_eq!(service.metrics().reconnects, 1);
    connection.publish("a", "b").await.unwrap();
    connection.flush_confirmed().await.unwrap_or_default();
    let before = service.metrics().messages_out;
    drop((connection, states));
    service.shutdown(SOON).await;
    let metrics = service.metrics();
    assert_eq!((metrics.reconnects, metrics.dials), (1, 1));
    assert!(metrics.messages_out >= before && before > 0);
}

#[tokio::test]
async fn profiles_and_lanes_are_counted_apart_and_together() {
    let server = crate::server::TestServer::start().await;
    let service = ConnectionService::builder()
        .profile("a", settings(&server.url()))
        .profile("b", settings(&server.url()))
        .start(StartMode::Lazy)
        .await
        .unwrap();
    let held = service.acquire().profile("a").await.unwrap();
    let bulk = service
        .acquire()
        .profile("a")
        .lane(Lane::Bulk)
        .await
        .unwrap();
    drop(service.acquire().profile("b").await.unwrap());
    let [a, b] = ["a", "b"].map(|profile| service.metrics_of(profile).unwrap());
    assert_eq!(
        (a.total_connections, a.active_connections, a.dials),
        (2, 2, 2)
    );
    assert_eq!(
        (b.total_connections, b.active_connections, b.dials),
        (1, 0, 1)
    );
    assert_eq!(service.metrics().total_connections, 3);
    service.metrics_of("c").unwrap_err();
    drop((held, bulk));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_load_the_numbers_are_exact_and_healthy() {
    let (_server, service) = setup().await;
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let service = service.clone();
        tasks.spawn(async move {
            for _ in 0..1000 {
                let connection = service.connection().await.unwrap();
                connection.publish("load", "x").await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let metrics = service.metrics();
    assert_eq!(
        (metrics.active_connections, metrics.failed_connections),
        (0, 0)
    );
    assert_eq!(
        (metrics.total_connections, metrics.successful_connections),
        (64_000, 64_000)
    );
    assert_eq!((metrics.publish.count, metrics.dials), (64_000, 1));
    assert!(AlertRules::default().evaluate(&metrics).is_empty());
}

#[tokio::test]
async fn a_hundred_and_one_open_scopes_raise_the_alert_and_a_hundred_do_not() {
    let (_server, service) = setup().await;
    let rules = AlertRules::default();
    let mut scopes = Vec::new();
    for _ in 0..100 {
        scopes.push(service.connection().await.unwrap());
    }
    assert!(rules.evaluate(&service.metrics()).is_empty());
    scopes.push(service.connection().await.unwrap());
    let alerts = rules.evaluate(&service.metrics());
    assert_eq!(alerts.len(), 1);
    assert!(
        alerts[0]
            .to_string()
            .starts_with("High number of active connections")
    );
}

#[test]
fn connections_counted_by_hand_from_many_threads_are_exact() {
    let monitor = ConnectionMonitor::new();
    let most = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..1000 {
                    let connecting = monitor.connecting("p");
                    match n % 4 {
                        0 => connecting.failed(),
                        1 => drop(connecting),
                        _ => {
                            let _open = connecting.succeeded();
                            let active = monitor.metrics_of("p").active_connections;
                            most.fetch_max(usize::try_from(active).unwrap(), Ordering::SeqCst);
                        }
                    }
                }
            });
        }
    });
    let metrics = monitor.metrics();
    assert_eq!(
        (metrics.total_connections, metrics.successful_connections),
        (4000, 2000)
    );
    assert_eq!(
        (metrics.failed_connections, metrics.cancelled_connections),
        (1000, 1000)
    );
    assert_eq!((metrics.active_connections, metrics.connecting), (0, 0));
    assert!((1..=4).contains(&most.load(Ordering::SeqCst)));
}

#[test]
fn the_average_is_that_of_connecting_and_not_of_what_is_done_meanwhile() {
    let monitor = ConnectionMonitor::new();
    let [one, three] = [1, 3].map(Duration::from_secs);
    let open = monitor.connecting("p").succeeded_in(one);
    drop(monitor.connecting("p").succeeded_in(three));
    monitor.connecting("p").failed();
    let metrics = monitor.metrics();
    assert_eq!(metrics.average_connection_time(), Duration::from_secs(2));
    assert_eq!(metrics.active_connections, 1);
    drop(open);
    monitor.reset();
    assert_eq!(monitor.metrics(), ConnectionMetrics::default());
}

#[tokio::test]
async fn a_monitored_operation_is_counted_by_its_outcome() {
    let (_server, service) = setup().await;
    let monitor = service.monitor();
    for fails in [false, true] {
        let work = async { if fails { Err("no") } else { Ok(()) } };
        let outcome = monitor.monitored("report", work).await;
        assert_eq!(outcome.is_err(), fails);
    }
    let never = monitor.monitored("report", std::future::pending::<Result<(), ()>>());
    assert!(timeout(Duration::from_millis(5), never).await.is_err());
    let report = service.metrics().operations["report"];
    assert_eq!(
        (report.succeeded, report.failed, report.cancelled),
        (1, 1, 1)
    );
    assert_eq!(report.time.count, 3);
    assert!(report.time.max >= Duration::from_millis(5));
}

#[cfg(feature = "metrics")]
#[tokio::test]
async fn an_exporter_shows_what_happened() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let (_server, service) = setup().await;
    let connection = service.connection().await.unwrap();
    let held = service.connection().await.unwrap();
    drop(service.connection().await.unwrap());
    for _ in 0..7 {
        connection
            .publish_within("a", HeaderMap::new(), "12345", SOON)
            .await
            .unwrap();
    }
    service.monitor().operation("report").failed();
    metrics::with_local_recorder(&recorder, || service.monitor().publish());
    let text = recorder.handle().render();
    let value = |name: &str, labels: &str| {
        let line = format!("naq_connection_{name}{{{labels}}} ");
        let found = text.lines().find_map(|l| l.strip_prefix(&line));
        found
            .unwrap_or_else(|| panic!("{line} is missing:\n{text}"))
            .parse::<f64>()
            .unwrap()
    };
    let lane = r#"profile="default",lane="control""#;
    let exactly = |name: &str, labels: &str, expected: f64| {
        let shown = value(name, labels);
        assert!((shown - expected).abs() < f64::EPSILON, "{name}: {shown}");
    };
    exactly("acquires_total", &format!(r#"{lane},outcome="ok""#), 3.0);
    exactly("dials_total", &format!(r#"{lane},outcome="ok""#), 1.0);
    exactly("leases", lane, 2.0);
    exactly("unconfirmed_messages", lane, 7.0);
    exactly("publish_seconds_count", lane, 7.0);
    exactly(
        "operations_total",
        r#"operation="report",outcome="error""#,
        1.0,
    );
    let dial = service.metrics().dial.mean.as_secs_f64();
    exactly("dial_seconds_sum", lane, dial);
    assert!(value("dial_seconds", &format!(r#"{lane},quantile="0.99""#)) > 0.0);
    let series = text
        .lines()
        .filter(|l| l.starts_with("naq_connection_"))
        .count();
    assert!(
        series < 120,
        "{series} series for two lanes and one operation"
    );
    drop((connection, held));
}

#[tokio::test]
async fn an_abandoned_connection_is_not_counted_for_ever() {
    let (_server, service) = setup().await;
    let subscription = service
        .connection()
        .await
        .unwrap()
        .subscribe("a")
        .await
        .unwrap();
    assert_eq!(service.metrics().active_connections, 1);
    drop(subscription);
    until("nothing is active", async || {
        service.metrics().active_connections == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_numbers_of_the_runtime_are_the_same_from_anywhere() {
    // Nothing is installed and nothing has connected.
    assert_eq!(
        get_connection_metrics().unwrap(),
        ConnectionMetrics::default()
    );
    let (_server, service) = setup().await;
    service.install_global().unwrap();
    let lease = nats_connection().await.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async { get_connection_metrics() });
    let elsewhere = tasks.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(elsewhere, service.metrics());
    assert_eq!(elsewhere, connection_monitor().unwrap().metrics());
    assert_eq!(
        (elsewhere.total_connections, elsewhere.active_connections),
        (1, 1)
    );
    reset_connection_metrics().unwrap();
    let reset = get_connection_metrics().unwrap();
    assert_eq!((reset.dials, reset.active_connections), (0, 1));
    drop(lease);
    assert_eq!(service.metrics(), ConnectionMetrics::default());
}

#[test]
fn outside_of_a_runtime_there_are_no_numbers() {
    let error = get_connection_metrics().unwrap_err();
    assert_eq!(
        *error.kind(),
        naq_connection::ConnectionErrorKind::NoRuntime
    );
}
