//! Traces: real processes export to a real collector, and what it gets links up.

use std::process::Stdio;
use std::time::Instant;

use naq_testing::{CollectedSpan, HeldPort, TraceCollector, tree};
use rustix::process::Signal;
use serde_json::json;
use tempfile::tempdir;

use super::command::{DEADLINE, Dev, Said, Worker, eventually};

/// A trace that somebody else has begun.
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A worker's handlers. `order` fails at first and then enqueues `mail`, as a program of its own.
fn handlers(dev: &Dev) -> String {
    let enqueue = format!(
        "{} enqueue mail -q post -u {}",
        env!("CARGO_BIN_EXE_naq"),
        dev.url
    );
    let order = format!("[ $NAQ_JOB_ATTEMPT = 1 ] && exit 3; {enqueue}");
    let command = |script: &str| json!({ "command": ["bash", "-c", script] });
    let handlers = json!({
        "order": command(&order),
        "mail": command("true"),
        "told": command("echo $TRACEPARENT"),
        "broken": command("echo no such table >&2; exit 65"),
    });
    json!({ "workers": { "handlers": handlers, "concurrency": 4 } }).to_string()
}

/// What a process that exports has in its environment.
fn exporting<'a>(to: &'a str, service: &'a str) -> [(&'a str, &'a str); 3] {
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", to),
        ("OTEL_SERVICE_NAME", service),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
    ]
}

/// A server, a collector, and a worker that exports to it.
struct Stage {
    dev: Dev,
    collector: TraceCollector,
    endpoint: String,
}

impl Stage {
    fn new(dir: &std::path::Path) -> Self {
        let collector = TraceCollector::start();
        let endpoint = collector.endpoint();
        let dev = Dev::start(dir);
        Self {
            dev,
            collector,
            endpoint,
        }
    }

    fn worker(&self) -> Worker {
        let variables = exporting(&self.endpoint, "worker");
        let queues = ["naq_default_queue", "post"];
        self.dev
            .worker_in(&handlers(&self.dev), &queues, &variables)
    }

    /// Runs a command that exports.
    fn naq(&self, args: &[&str]) -> Said {
        let mut command = self.dev.command(args);
        command.envs(exporting(&self.endpoint, "shop"));
        Said::of(command.output().unwrap())
    }

    /// Waits until so many spans have come, and gives them.
    #[track_caller]
    fn spans(&self, count: usize) -> Vec<CollectedSpan> {
        self.collector.wait(|spans| spans.len() >= count)
    }
}

#[track_caller]
fn find<'a>(spans: &'a [CollectedSpan], name: &str, kind: &str) -> &'a CollectedSpan {
    let found = spans
        .iter()
        .find(|span| span.name == name && span.attribute("naq.job.kind") == kind);
    found.unwrap_or_else(|| panic!("no {name} of {kind}: {}", tree(spans)))
}

#[test]
fn a_job_its_retry_and_what_it_enqueues_are_one_trace() {
    let dir = tempdir().unwrap();
    let stage = Stage::new(dir.path());
    let worker = stage.worker();
    // The retry is a message of its own, made by the server.
    let enqueue = [
        "enqueue",
        "order",
        "--retries",
        "1",
        "--retry-delay",
        "1s",
        "--id",
        "order-1",
    ];
    stage.naq(&enqueue).ended_with(0);
    let spans = stage.spans(5);
    let failed = "bash ended with exit status: 3";
    assert_eq!(
        tree(&spans),
        format!(
            "\
enqueue naq_default_queue (order)
  process naq_default_queue (order) attempt 1 retried: {failed}
  process naq_default_queue (order) attempt 2 completed
    enqueue post (mail)
      process post (mail) attempt 1 completed
"
        )
    );
    let sent = find(&spans, "enqueue naq_default_queue", "order");
    assert_eq!((sent.service.as_str(), sent.kind), ("shop", "producer"));
    let ran = find(&spans, "process naq_default_queue", "order");
    assert_eq!((ran.service.as_str(), ran.kind), ("worker", "consumer"));
    for (name, value) in [
        ("messaging.system", "nats"),
        ("messaging.operation.type", "process"),
        ("messaging.operation.name", "process"),
        ("messaging.destination.name", "naq_default_queue"),
        ("messaging.message.id", "order-1"),
        ("error.type", "error"),
    ] {
        assert_eq!(ran.attribute(name), value, "{name}");
    }
    assert!(!ran.attribute("messaging.client.id").is_empty());
    assert!(sent.started_at <= ran.started_at && ran.started_at <= ran.ended_at);
    worker.stop(Signal::TERM).ended_with(0);
}

#[test]
fn a_context_that_came_in_is_kept_and_a_job_without_one_begins_a_trace() {
    let dir = tempdir().unwrap();
    let stage = Stage::new(dir.path());
    let worker = stage.worker();
    // Processes that do not export: what they are given goes on, on the wire and in the environment.
    let header = format!("traceparent={TRACE}");
    let plain = ["enqueue", "told", "--header", &header, "--wait=60s"];
    let told = stage.dev.naq(&plain).ended_with(0).out;
    let of_env = stage
        .dev
        .command(&["enqueue", "told", "--wait=60s"])
        .env("TRACEPARENT", TRACE)
        .output();
    let of_env = Said::of(of_env.unwrap()).ended_with(0).out;
    // Nobody named a trace, and the attempt fails and comes back as a message of its own.
    let foreign = ["enqueue", "order", "--retries", "1", "--retry-delay", "1s"];
    stage.dev.naq(&foreign).ended_with(0);
    let spans = stage.spans(6);
    let given = &TRACE[3..35];
    let told_spans: Vec<_> = spans
        .iter()
        .filter(|span| span.attribute("naq.job.kind") == "told")
        .collect();
    assert_eq!(told_spans.len(), 2, "{}", tree(&spans));
    for span in told_spans {
        assert_eq!(span.trace_id, given);
        assert_eq!(span.parent_id.as_deref(), Some(&TRACE[36..52]));
        let own = format!("00-{given}-{}-01", span.span_id);
        assert!(
            told.contains(&own) || of_env.contains(&own),
            "{own}: {told}{of_env}"
        );
    }
    let rest: Vec<_> = spans
        .into_iter()
        .filter(|span| span.trace_id != given)
        .collect();
    assert_eq!(
        tree(&rest),
        "\
process naq_default_queue (order) attempt 1 retried: bash ended with exit status: 3
  process naq_default_queue (order) attempt 2 completed
    enqueue post (mail)
      process post (mail) attempt 1 completed
"
    );
    worker.stop(Signal::TERM).ended_with(0);
}

#[test]
fn the_nodes_of_a_workflow_are_below_it_and_linked_to_what_they_come_after() {
    const FILE: &str = r"
name: diamond
nodes:
  - {name: first, kind: mail}
  - {name: left, kind: told, after: [first]}
  - {name: right, kind: broken, after: [first]}
  - {name: both, gate: true, after: [left], after_end: [right]}
  - {name: last, kind: mail, queue: post, after: [both]}
";
    let dir = tempdir().unwrap();
    let stage = Stage::new(dir.path());
    let worker = stage.worker();
    std::fs::write(dir.path().join("diamond.yaml"), FILE).unwrap();
    stage
        .naq(&["workflow", "submit", "diamond.yaml", "--id", "d-1"])
        .ended_with(0);
    let spans = stage.spans(5);
    let text = tree(&spans);
    let mut lines: Vec<&str> = text.lines().collect();
    lines[1..].sort_unstable();
    assert_eq!(
        lines,
        [
            "submit diamond",
            "  process naq_default_queue (broken) attempt 1 failed <- mail: bash ended with exit status: 65: no such table",
            "  process naq_default_queue (mail) attempt 1 completed",
            "  process naq_default_queue (told) attempt 1 completed <- mail",
            "  process post (mail) attempt 1 completed <- broken, told",
        ]
    );
    let last = find(&spans, "process post", "mail");
    assert_eq!(last.attribute("naq.workflow.id"), "d-1");
    assert_eq!(last.attribute("naq.workflow.node"), "4");
    let submit = spans.iter().find(|span| span.name == "submit diamond");
    let submit = submit.unwrap();
    assert_eq!(submit.attribute("naq.workflow.id"), "d-1");
    assert_eq!(submit.attribute("messaging.batch.message_count"), "5");
    worker.stop(Signal::TERM).ended_with(0);
}

#[test]
fn each_firing_of_a_schedule_and_each_requeue_is_a_trace_of_its_own() {
    let dir = tempdir().unwrap();
    let stage = Stage::new(dir.path());
    let worker = stage.worker();
    let create = [
        "schedule", "create", "nightly", "mail", "--every", "1s", "--repeat", "2",
    ];
    stage.naq(&create).ended_with(0);
    let spans = stage.spans(4);
    let mut fired: Vec<_> = spans
        .iter()
        .filter(|span| span.name.starts_with("fire"))
        .collect();
    fired.sort_by_key(|span| span.started_at);
    assert_eq!(fired.len(), 2, "{}", tree(&spans));
    assert_ne!(fired[0].trace_id, fired[1].trace_id);
    for fire in &fired {
        assert_eq!((fire.parent_id.as_ref(), fire.kind), (None, "producer"));
        let ran = spans.iter().find(|span| span.is_below(fire)).unwrap();
        for span in [fire, ran] {
            assert_eq!(span.attribute("naq.schedule.name"), "nightly");
        }
        let instant = |span: &CollectedSpan| span.attribute("naq.schedule.instant").to_owned();
        assert_eq!(instant(fire), instant(ran));
    }

    stage
        .naq(&["enqueue", "broken", "--id", "b-1"])
        .ended_with(0);
    eventually("the dead letter is there", || {
        stage.dev.naq(&["dead", "show", "b-1"]).code == Some(0)
    });
    stage.naq(&["dead", "retry", "b-1"]).ended_with(0);
    let spans = stage.spans(8);
    let sent = find(&spans, "enqueue naq_default_queue", "broken");
    let again = find(&spans, "requeue naq_default_queue", "broken");
    assert!(
        again.parent_id.is_none() && again.is_linked_to(sent),
        "{}",
        tree(&spans)
    );
    assert_ne!(again.trace_id, sent.trace_id);
    for above in [sent, again] {
        let below = spans.iter().filter(|span| span.is_below(above));
        let below: Vec<_> = below
            .map(|span| span.attribute("naq.job.outcome"))
            .collect();
        assert_eq!(below, ["failed"]);
    }
    worker.stop(Signal::TERM).ended_with(0);
}

#[test]
fn a_collector_that_is_away_is_one_warning_and_touches_no_job() {
    let dir = tempdir().unwrap();
    let dev = Dev::start(dir.path());
    // Somebody has this port, and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let away = HeldPort::take().unwrap();
    let gone = format!("http://127.0.0.1:{}", away.number());
    let worker = dev.worker_in(&handlers(&dev), &[], &exporting(&gone, "worker"));
    for _ in 0..3 {
        let mut command = dev.command(&["enqueue", "mail", "--wait=60s", "--json"]);
        command.envs(exporting(&gone, "shop")).stderr(Stdio::null());
        let said = Said::of(command.output().unwrap()).ended_with(0);
        assert_eq!(said.json()["status"], "completed");
    }
    let said = worker.stop(Signal::TERM).ended_with(0);
    let warnings = said
        .err
        .matches("the collector does not take traces")
        .count();
    assert_eq!(warnings, 1, "{said:?}");
    assert!(said.err.contains("3 completed"), "{said:?}");

    // The last flush has a bound, also when the collector is silent and may be so for long.
    let began = Instant::now();
    let mut command = dev.command(&["enqueue", "mail"]);
    command.envs(exporting(&endpoint, "shop"));
    command.env("OTEL_EXPORTER_OTLP_TIMEOUT", "120000");
    Said::of(command.output().unwrap()).ended_with(0);
    assert!(began.elapsed() < DEADLINE, "{:?}", began.elapsed());

    // What is not built in is said, and no command fails for it.
    let mut command = dev.command(&["enqueue", "mail"]);
    command.envs(exporting(&gone, "shop"));
    command.env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let said = Said::of(command.output().unwrap()).ended_with(0);
    let is_said = said.err.contains("no traces are exported") && said.err.contains("http/protobuf");
    assert!(is_said, "{said:?}");
}
