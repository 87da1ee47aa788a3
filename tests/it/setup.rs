//! What the themes share: a server of their own, jobs on it, and handlers that keep a count.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use naq_config::Settings;
use naq_connection::Connection;
use naq_jobs::{Job, JobContext, JobError, JobId, Jobs, Kind};
use naq_testing::{TestServer, eventually_eq};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};

/// Time that anything in a test may take. Long, so that a busy machine is no failure.
pub(crate) const LONG: Duration = Duration::from_secs(180);

/// Returns what it is given.
pub(crate) const ECHO: Kind<Value, Value> = Kind::new("echo");

/// Shows the logs of a failed test, as `RUST_LOG` asks.
pub(crate) fn show_logs() {
    // Another test of this process may have done it already.
    drop(
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init(),
    );
}

/// A server, and jobs on it.
pub(crate) struct Bed {
    pub(crate) server: TestServer,
    pub(crate) jobs: Jobs,
}

impl Bed {
    /// A fresh server with the tests' settings.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// As [`Self::new`], with other settings.
    pub(crate) async fn with(adjust: impl FnOnce(&mut Settings)) -> Self {
        show_logs();
        let server = TestServer::start().await;
        let mut settings = server.settings();
        adjust(&mut settings);
        let jobs = Jobs::connect(settings).await.unwrap();
        Self { server, jobs }
    }

    /// Jobs of another process, so to speak: with connections of their own.
    pub(crate) async fn other(&self, adjust: impl FnOnce(&mut Settings)) -> Jobs {
        let mut settings = self.server.settings();
        adjust(&mut settings);
        Jobs::connect(settings).await.unwrap()
    }

    /// Enqueues a job and waits for its result.
    pub(crate) async fn run<R: DeserializeOwned>(&self, job: Job<R>) -> R {
        let job = self.jobs.enqueue(job).await.unwrap();
        job.result(LONG).await.unwrap()
    }

    /// What a bound on some steps between processes may grow by: twenty round trips to the server, as long as they take
    /// now. Next to nothing on a machine that does nothing else.
    pub(crate) async fn slack(&self) -> Duration {
        let conn = self.conn().await;
        let begun = Instant::now();
        for _ in 0..20 {
            conn.flush_confirmed().await.unwrap();
        }
        begun.elapsed()
    }

    /// Messages that the server has in the stream of waiting jobs.
    pub(crate) async fn waiting(&self) -> u64 {
        self.server.jsz().await.messages("naq_jobs")
    }

    /// Waits until no job is left. A worker that has stopped knows that the server has read its acknowledgements; the
    /// consumer handles them a moment later.
    pub(crate) async fn emptied(&self) {
        eventually_eq(LONG, 0, async || self.waiting().await).await;
    }

    /// A plain connection, as a program has that knows only the bytes on the wire.
    pub(crate) async fn conn(&self) -> Connection {
        self.jobs.connections().connection().await.unwrap()
    }

    /// Puts a body of somebody else's into the queue `queue`, under the id `id`.
    pub(crate) async fn publish(&self, queue: &str, id: &str, body: impl Into<Vec<u8>>) -> JobId {
        let subject = format!("naq.queue.{queue}.{id}");
        let conn = self.conn().await;
        conn.publish_acked(subject, HeaderMap::new(), body.into())
            .await
            .unwrap();
        job_id(id)
    }

    /// What the server's JetStream API answers.
    pub(crate) async fn ask(&self, verb: &str, body: Value) -> Value {
        let conn = self.conn().await;
        let reply = conn
            .request(format!("$JS.API.{verb}"), body.to_string())
            .await
            .unwrap();
        serde_json::from_slice(&reply.payload).unwrap()
    }

    /// What the server says about the consumer of `queue`.
    pub(crate) async fn consumer(&self, queue: &str) -> Value {
        self.ask(
            &format!("CONSUMER.INFO.naq_jobs.naq-worker-{queue}"),
            json!({}),
        )
        .await
    }

    /// How often the server delivered jobs of `queue`, each delivery counted.
    pub(crate) async fn deliveries(&self, queue: &str) -> u64 {
        let info = self.consumer(queue).await;
        info["delivered"]["consumer_seq"].as_u64().unwrap()
    }

    /// The subjects under `filter` that hold a message.
    pub(crate) async fn subjects(&self, stream: &str, filter: &str) -> Vec<String> {
        let info = self
            .ask(
                &format!("STREAM.INFO.{stream}"),
                json!({ "subjects_filter": filter }),
            )
            .await;
        let held = info["state"]["subjects"].as_object();
        held.map_or_else(Vec::new, |held| held.keys().cloned().collect())
    }
}

/// A job id that is known to be valid.
pub(crate) fn job_id(text: &str) -> JobId {
    JobId::new(text).unwrap()
}

/// The echo handler.
pub(crate) async fn echo(_: JobContext, value: Value) -> Result<Value, JobError> {
    Ok(value)
}

/// Who ran what, in order, over all handlers that share it.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<Vec<(String, u32, Instant)>>>);

impl Ledger {
    /// Notes an attempt.
    pub(crate) fn note(&self, context: &JobContext) {
        let entry = (context.id().to_string(), context.attempt(), Instant::now());
        self.0.lock().unwrap().push(entry);
    }

    /// The attempts of one job.
    pub(crate) fn attempts(&self, id: &str) -> Vec<u32> {
        let all = self.0.lock().unwrap();
        all.iter().filter(|e| e.0 == id).map(|e| e.1).collect()
    }

    /// The waits between the attempts of one job.
    pub(crate) fn waits(&self, id: &str) -> Vec<Duration> {
        let all = self.0.lock().unwrap();
        let times: Vec<_> = all.iter().filter(|e| e.0 == id).map(|e| e.2).collect();
        times.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// The ids in the order in which they started.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|e| e.0.clone()).collect()
    }
}

/// A door in handlers: shows how many stand before it, and lets through as many as the test says.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Door>);

struct Door {
    permits: Semaphore,
    counts: watch::Sender<Counts>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    started: usize,
    running: usize,
    most: usize,
}

impl Gate {
    /// A closed one.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Door {
            permits: Semaphore::new(0),
            counts: watch::Sender::default(),
        }))
    }

    /// Stands before it until it is opened. A dropped attempt counts as gone.
    pub(crate) async fn pass(&self) {
        self.0.counts.send_modify(|c| {
            c.started += 1;
            c.running += 1;
            c.most = c.most.max(c.running);
        });
        let _gone = Leaving(self);
        self.0.permits.acquire().await.unwrap().forget();
    }

    /// Lets `count` through, now or later.
    pub(crate) fn open(&self, count: usize) {
        self.0.permits.add_permits(count);
    }

    /// Waits until `count` handlers have ever come to it.
    pub(crate) async fn started(&self, count: usize) {
        let mut counts = self.0.counts.subscribe();
        let enough = counts.wait_for(|c| c.started >= count);
        match tokio::time::timeout(LONG, enough).await {
            Ok(seen) => drop(seen.unwrap()),
            Err(_) => panic!("only {:?} of {count} have started", self.counts()),
        }
    }

    /// Handlers that ever came to it.
    pub(crate) fn ever(&self) -> usize {
        self.counts().started
    }

    /// The most handlers that stood before it at the same time.
    pub(crate) fn most(&self) -> usize {
        self.counts().most
    }

    fn counts(&self) -> Counts {
        *self.0.counts.borrow()
    }
}

struct Leaving<'a>(&'a Gate);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.0.counts.send_modify(|c| c.running -= 1);
    }
}
