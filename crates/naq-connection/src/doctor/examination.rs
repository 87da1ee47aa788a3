//! The steps, one after the other.

use std::time::Duration;

use futures::future::join_all;
use naq_config::settings::NatsSettings;

use super::finding::{Check, Finding, Verdict};
use super::report::Report;
use super::{account, monitor, reach, server, session};
use crate::dial::Plan;

/// What the servers are held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectations {
    /// Oldest version that will do, as major and minor number; `None` (the default) takes any.
    pub minimum_version: Option<(u64, u64)>,
    /// Copies that streams shall have. Default 1.
    pub replicas: u8,
    /// Time that one step may take. Default 5 s.
    pub step_limit: Duration,
    /// URL of a server's monitoring port (`http://host:8222`); `None` (the default) leaves out what
    /// only that knows.
    pub monitor: Option<String>,
}

impl Default for Expectations {
    fn default() -> Self {
        Self {
            minimum_version: None,
            replicas: 1,
            step_limit: Duration::from_secs(5),
            monitor: None,
        }
    }
}

/// Walks from the settings to JetStream and says what it finds at each step, also to `told` as soon
/// as it is known.
///
/// Dials a connection of its own and ends it. Every [`Check`] is in the answer at least once, those
/// of single servers once for each. It changes nothing: it publishes one message to an inbox of its
/// own and asks JetStream about the account and its streams. Never fails; it takes about ten steps
/// of `step_limit` in the worst case. Cancel safe.
///
/// ```no_run
/// # async fn run() {
/// use naq_config::settings::NatsSettings;
/// use naq_connection::doctor::{Expectations, examine};
///
/// let settings = NatsSettings::default();
/// for finding in examine(&settings, &Expectations::default(), |_| {}).await {
///     println!("{} {}: {}", finding.verdict, finding.check, finding.found);
/// }
/// # }
/// ```
pub async fn examine(
    settings: &NatsSettings,
    expectations: &Expectations,
    mut told: impl FnMut(&Finding),
) -> Vec<Finding> {
    let mut report = Report::new(&mut told);
    let limit = expectations.step_limit;
    let plan = match Plan::new(settings.clone()) {
        Ok(plan) => plan,
        Err(error) => {
            let remedy = "see `naq config validate`";
            report.add(Finding::error(Check::Settings, error.to_string(), remedy));
            return report.finish();
        }
    };
    report.add(Finding::ok(Check::Settings, "they fit together"));
    if !reach_all(&plan, limit, &mut report).await {
        return report.finish();
    }
    // Boxed: the handshake with TLS is a large future.
    if let Some(session) = Box::pin(session::open(settings, limit, &mut report)).await {
        let connection = session.connection();
        let info = connection.server_info();
        report.add(server::version(&info, expectations.minimum_version));
        report.add(server::features(&info));
        let mut clock = None;
        if session::converse(connection, limit, &mut report).await {
            clock = account::look(connection, &info, expectations.replicas, &mut report).await;
        }
        let seen = monitor::look(expectations.monitor.as_deref(), limit, &mut report).await;
        // The monitoring port knows the time also where there is no stream.
        let is_seen = |finding: &Finding| finding.verdict != Verdict::Skipped;
        let clock = clock.clone().filter(is_seen).or(seen).or(clock);
        clock.into_iter().for_each(|finding| report.add(finding));
        session.close(limit).await;
    }
    report.finish()
}

/// Whether a server can be reached. One that cannot is a warning beside one that can.
async fn reach_all(plan: &Plan, limit: Duration, report: &mut Report<'_>) -> bool {
    let servers = plan.endpoints.iter();
    let reached = join_all(servers.map(|endpoint| reach::reach(endpoint, limit))).await;
    let is_bad = |finding: &Finding| finding.verdict == Verdict::Error;
    let one_is_there = reached.iter().any(|findings| !findings.iter().any(is_bad));
    let mut findings: Vec<Finding> = reached.into_iter().flatten().collect();
    findings.sort_by_key(|finding| finding.check);
    for mut finding in findings {
        if one_is_there && is_bad(&finding) {
            finding.verdict = Verdict::Warning;
        }
        report.add(finding);
    }
    one_is_there
}
