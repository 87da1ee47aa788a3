//! What is written to the log.

use std::io;
use std::sync::{Arc, LazyLock, Mutex};

use naq_connection::ConnectionService;
use tokio::time::timeout;
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Dispatch, Level};
use tracing_subscriber::fmt::format::FmtSpan;

use crate::server::TestServer;
use crate::settings;

/// While there is one dispatcher in the process, tracing asks the current thread's whether a span or
/// record is wanted, and keeps the answer: a test without a log could switch it off for the one that
/// listens. A second one, which is nobody's, prevents that.
static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(tracing_subscriber::registry()));

#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Records everything that this thread does, down to the client's own traces.
    pub(crate) fn start() -> (Self, DefaultGuard) {
        LazyLock::force(&SECOND);
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .with_ansi(false)
            .with_span_events(FmtSpan::CLOSE)
            .with_writer(move || writer.clone())
            .finish();
        (log, set_default(subscriber))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub(crate) fn lines(&self, with: &str) -> Vec<String> {
        let text = self.text();
        let found = text.lines().filter(|line| line.contains(with));
        found.map(str::to_owned).collect()
    }

    pub(crate) fn ours(&self, level: &str) -> Vec<String> {
        let ours = |line: &&str| line.contains(level) && line.contains(" naq_connection::");
        self.text()
            .lines()
            .filter(ours)
            .map(str::to_owned)
            .collect()
    }
}

#[tokio::test]
async fn a_failed_dial_is_one_error_record_whatever_the_number_of_callers_and_servers() {
    let (log, _guard) = Log::start();
    let mut settings = settings("nats://127.0.0.1:1");
    settings.servers.push("nats://127.0.0.1:2".to_owned());
    let service = ConnectionService::new(settings);
    let calls = (0..100).map(|_| service.connection());
    futures::future::join_all(calls).await;
    let errors = log.ours("ERROR");
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(errors[0].contains("NATS connection error: "), "{errors:#?}");
}

#[tokio::test]
async fn connecting_losing_and_closing_are_told_once_each() {
    let (log, _guard) = Log::start();
    let server = TestServer::start().await;
    let service = ConnectionService::new(settings(&server.url()));
    let connection = service.connection().await.unwrap();
    server.restart().await;
    let mut states = connection.states();
    states
        .wait_for(|s| s.epoch == 2 && s.is_connected())
        .await
        .unwrap();
    drop(connection);
    service.shutdown(crate::SOON).await;
    let told = log.ours("INFO");
    for what in [
        "connected to NATS",
        "lost the",
        "reconnected to",
        "closed the",
        "connections shut down",
    ] {
        let lines = told
            .iter()
            .filter(|line| line.contains(&format!(": {what}")));
        assert_eq!(lines.count(), 1, "{what}: {told:#?}");
    }
}

#[tokio::test]
async fn no_record_of_any_level_shows_a_password() {
    let (log, _guard) = Log::start();
    let server = TestServer::start_with("authorization { user: alice, password: s3cret }").await;
    let url = server.url().replace("://", "://alice:s3cret@");
    let service = ConnectionService::new(settings(&url));
    let connection = service.connection().await.unwrap();
    server.restart().await;
    let mut states = connection.states();
    states.wait_for(|s| s.epoch == 2).await.unwrap();
    server.kill().await;
    let dead = ConnectionService::new(settings(&url));
    let error = dead.connection().await.unwrap_err();
    let shown = format!("{}{error}{error:?}{service:?}{connection:?}", log.text());
    assert!(
        shown.contains("establishing connection"),
        "the client's traces are missing"
    );
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[tokio::test]
async fn each_wait_is_a_span_that_says_how_it_ended_and_how_long_it_took() {
    let (log, _guard) = Log::start();
    let server = TestServer::start().await;
    let service = ConnectionService::new(settings(&server.url()));
    let connection = service.connection().await.unwrap();
    drop(service.connection().await.unwrap());
    let mut states = connection.states();
    server.restart().await;
    let back = states.wait_for(|s| s.epoch == 2 && s.is_connected());
    timeout(crate::SOON, back).await.unwrap().unwrap();
    drop(connection);
    service.shutdown(crate::SOON).await;
    let spans = |name: &str| {
        let start = format!(" {name}{{profile=\"default\" lane=\"control\"");
        let mut lines = log.ours("INFO");
        lines.retain(|line| line.contains(&start) && line.contains(": close time."));
        lines
    };
    // The second acquire found the connection there and is no span.
    for (name, epoch) in [("acquire", 1), ("dial", 0), ("reconnect", 1), ("close", 2)] {
        let told = spans(name);
        assert_eq!(told.len(), 1, "{name}: {told:#?}");
        assert!(told[0].contains("outcome=\"ok\" duration="), "{told:#?}");
        assert!(
            epoch == 0 || told[0].contains(&format!("epoch={epoch} ")),
            "{told:#?}"
        );
    }
}

#[tokio::test]
async fn a_failed_dial_and_the_wait_for_it_are_spans_with_that_outcome() {
    let (log, _guard) = Log::start();
    let service = ConnectionService::new(settings("nats://127.0.0.1:1"));
    service.connection().await.unwrap_err();
    for name in ["acquire", "dial"] {
        let mut told = log.ours("INFO");
        told.retain(|line| {
            line.contains(&format!(" {name}{{")) && line.contains("outcome=\"error\"")
        });
        assert_eq!(told.len(), 1, "{name}: {told:#?}");
    }
}

#[tokio::test]
async fn a_replacement_is_a_span_with_its_reason_and_how_it_ended() {
    let (log, _guard) = Log::start();
    let server = TestServer::start().await;
    let service = ConnectionService::new(settings(&server.url()));
    service.connection().await.unwrap();
    service.rotate("default").await.unwrap();
    server.kill().await;
    service.rotate("default").await.unwrap_err();
    let ended = log.lines(": close time.");
    let replace = "replace{profile=\"default\" lane=\"control\" reason=rotation";
    let told = |end: &str| {
        let wanted = |line: &&String| line.contains(replace) && line.contains(end);
        ended.iter().filter(wanted).count()
    };
    for outcome in ["ok", "error"] {
        assert_eq!(
            told(&format!("rotation outcome=\"{outcome}\" duration=")),
            1
        );
    }
    // Each dial is inside of its replacement.
    assert_eq!(told("rotation}:dial{"), 2, "{ended:#?}");
}
