//! The numbers for the `metrics` facade, and by it for Prometheus, `StatsD` and others.
//!
//! They are handed over when somebody asks, not when something happens: a recorder on the way of
//! each publish would cost more than the publish. So times come as `_sum`, `_count` and quantiles.

use metrics::{Label, counter, gauge};

use super::handle::ConnectionMonitor;
use super::meter::Meter;
use super::operation::OperationMetrics;
use super::snapshot::ConnectionMetrics;
use super::timing::Timing;

impl ConnectionMonitor {
    /// Hands the numbers to the recorder of the `metrics` facade; does nothing if there is none.
    /// Call it before each scrape, or every few seconds.
    ///
    /// Names begin with `naq_connection_`, the labels are `profile` and `lane`. Counters: `acquires_total`
    /// (`outcome`), `dials_total` (`outcome`), `reconnects_total`, `bytes_total` and `messages_total`
    /// (`direction`), `abandoned_requests_total`. Gauges: `leases`, `connecting`, `unconfirmed_messages`. Times, in
    /// seconds: `acquire`, `dial`, `rtt`, `publish`, `request`, `flush`, each as `_seconds` (`quantile`),
    /// `_seconds_max`, `_seconds_sum` and `_seconds_count`. Named operations: `operations_total`
    /// (`operation`, `outcome`), `operation_seconds`.
    pub fn publish(&self) {
        for meter in self.meters() {
            let metrics = self.metrics_where(|other| std::ptr::eq(other, &*meter));
            counts(&meter, &metrics);
            for (name, timing) in [
                ("acquire", metrics.acquire),
                ("dial", metrics.dial),
                ("rtt", metrics.rtt),
                ("publish", metrics.publish),
                ("request", metrics.request),
                ("flush", metrics.flush),
            ] {
                times(name, &labels(&meter), timing);
            }
        }
        for (name, operation) in self.metrics().operations {
            named(name, operation);
        }
    }
}

fn labels(meter: &Meter) -> Vec<Label> {
    let profile = meter.profile().to_owned();
    vec![
        Label::new("profile", profile),
        Label::new("lane", meter.lane()),
    ]
}

fn with(mut labels: Vec<Label>, key: &'static str, value: &'static str) -> Vec<Label> {
    labels.push(Label::new(key, value));
    labels
}

fn counts(meter: &Meter, of: &ConnectionMetrics) {
    let all = || labels(meter);
    for (outcome, count) in [
        ("ok", of.successful_connections),
        ("error", of.failed_connections),
        ("cancelled", of.cancelled_connections),
    ] {
        counter!(
            "naq_connection_acquires_total",
            with(all(), "outcome", outcome)
        )
        .absolute(count);
    }
    for (outcome, count) in [("ok", of.dial.count), ("error", of.failed_dials)] {
        counter!(
            "naq_connection_dials_total",
            with(all(), "outcome", outcome)
        )
        .absolute(count);
    }
    for (direction, bytes, messages) in [
        ("in", of.bytes_in, of.messages_in),
        ("out", of.bytes_out, of.messages_out),
    ] {
        let labels = with(all(), "direction", direction);
        counter!("naq_connection_bytes_total", labels.clone()).absolute(bytes);
        counter!("naq_connection_messages_total", labels).absolute(messages);
    }
    counter!("naq_connection_reconnects_total", all()).absolute(of.reconnects);
    counter!("naq_connection_abandoned_requests_total", all()).absolute(of.abandoned_requests);
    gauge!("naq_connection_leases", all()).set(number(of.active_connections));
    gauge!("naq_connection_connecting", all()).set(number(of.connecting));
    gauge!("naq_connection_unconfirmed_messages", all()).set(number(of.unconfirmed));
}

fn times(name: &str, labels: &[Label], timing: Timing) {
    let name = format!("naq_connection_{name}_seconds");
    for (quantile, time) in [
        ("0.5", timing.p50),
        ("0.9", timing.p90),
        ("0.99", timing.p99),
    ] {
        let labels = with(labels.to_vec(), "quantile", quantile);
        gauge!(name.clone(), labels).set(time.as_secs_f64());
    }
    gauge!(format!("{name}_max"), labels.to_vec()).set(timing.max.as_secs_f64());
    gauge!(format!("{name}_sum"), labels.to_vec()).set(timing.sum.as_secs_f64());
    counter!(format!("{name}_count"), labels.to_vec()).absolute(timing.count);
}

fn named(name: String, of: OperationMetrics) {
    let labels = vec![Label::new("operation", name)];
    for (outcome, count) in [
        ("ok", of.succeeded),
        ("error", of.failed),
        ("cancelled", of.cancelled),
    ] {
        let labels = with(labels.clone(), "outcome", outcome);
        counter!("naq_connection_operations_total", labels).absolute(count);
    }
    times("operation", &labels, of.time);
}

#[expect(clippy::cast_precision_loss, reason = "the facade's gauges are f64")]
fn number(count: u64) -> f64 {
    count as f64
}
