//! JetStream as this account sees it.

use std::time::SystemTime;

use async_nats::ServerInfo;
use serde_json::Value;

use super::clock;
use super::finding::{Check, Finding};
use super::report::Report;
use crate::error::ConnectionErrorKind;
use crate::lease::Connection;

/// Fullness, in percent, from which on a limit is worth a look.
const NEARLY_FULL: u64 = 80;

/// Adds what JetStream tells; the answer is the finding about its clock.
pub(super) async fn look(
    connection: &Connection,
    info: &ServerInfo,
    replicas: u8,
    report: &mut Report<'_>,
) -> Option<Finding> {
    let account = match ask(connection, "$JS.API.INFO").await {
        Ok(account) => account,
        Err(finding) => {
            report.add(finding);
            return None;
        }
    };
    let level = account["api"]["level"].as_u64();
    let level = level.map_or(String::new(), |level| format!(", API level {level}"));
    let domain = info.domain.as_deref();
    let domain = domain.map_or(String::new(), |name| format!(", domain {name}"));
    report.add(Finding::ok(
        Check::JetStream,
        format!("on for this account{level}{domain}"),
    ));
    report.add(limits(&account));
    match ask(connection, "$JS.API.STREAM.LIST").await {
        Ok(streams) => {
            let now = SystemTime::now();
            report.add(copies(info.cluster.as_deref(), replicas, &streams));
            Some(clock::judge(streams["streams"][0]["ts"].as_str(), now))
        }
        Err(finding) => {
            report.add(finding);
            None
        }
    }
}

async fn ask(connection: &Connection, subject: &str) -> Result<Value, Finding> {
    let error = |found: String, remedy: &str| Finding::error(Check::JetStream, found, remedy);
    let reply = connection.request(subject.to_owned(), "").await.map_err(|failed| {
        let remedy = match failed.kind() {
            ConnectionErrorKind::NoResponders => {
                "JetStream is off: enable `jetstream` in the server's configuration, and for this account"
            }
            ConnectionErrorKind::Deadline { .. } => {
                "allow this user to publish to `$JS.API.>`; in a cluster, see that a majority of the servers runs"
            }
            _ => "see the log of the server",
        };
        error(format!("{subject}: {failed}"), remedy)
    })?;
    let answer: Value = serde_json::from_slice(&reply.payload).map_err(|_| {
        error(
            format!("{subject}: the answer is not JSON"),
            "see the log of the server",
        )
    })?;
    match answer["error"]["description"].as_str() {
        Some(why) => Err(error(
            format!("{subject}: {why}"),
            "enable JetStream for this account; in a cluster, see that a majority of the servers runs",
        )),
        None => Ok(answer),
    }
}

/// What the account uses of what it may use; negative limits are none.
fn limits(account: &Value) -> Finding {
    let rows = [
        ("storage", "storage", "max_storage"),
        ("memory", "memory", "max_memory"),
        ("streams", "streams", "max_streams"),
        ("consumers", "consumers", "max_consumers"),
    ];
    let (mut shown, mut fullest) = (Vec::new(), 0);
    for (name, used, limit) in rows {
        let used = account[used].as_u64().unwrap_or_default();
        match account["limits"][limit].as_u64() {
            Some(limit) => {
                let percent = used.saturating_mul(100).checked_div(limit).unwrap_or(100);
                fullest = fullest.max(percent);
                shown.push(format!("{name} {used} of {limit} ({percent}%)"));
            }
            None => shown.push(format!("{name} {used} (no limit)")),
        }
    }
    let found = shown.join(", ");
    match fullest {
        0..NEARLY_FULL => Finding::ok(Check::AccountLimits, found),
        NEARLY_FULL..100 => Finding::warning(
            Check::AccountLimits,
            found,
            "a full account refuses new jobs: raise the limit, or remove what is not needed",
        ),
        _ => Finding::error(
            Check::AccountLimits,
            found,
            "the account is full and refuses: raise the limit, or remove what is not needed",
        ),
    }
}

/// Copies that are wanted and cannot be, and copies that are not current.
fn copies(cluster: Option<&str>, wanted: u8, answer: &Value) -> Finding {
    let Some(cluster) = cluster else {
        if wanted > 1 {
            let found = format!("{wanted} copies are wanted, and the server is alone");
            let remedy =
                "connect to a cluster, or set `queues.replicas` and `results.replicas` to 1";
            return Finding::error(Check::Replicas, found, remedy);
        }
        return Finding::ok(Check::Replicas, "one copy, on a server that is alone");
    };
    let no_streams = Vec::new();
    let streams = answer["streams"].as_array().unwrap_or(&no_streams);
    let mut behind = Vec::new();
    for stream in streams {
        let no_peers = Vec::new();
        let peers = stream["cluster"]["replicas"]
            .as_array()
            .unwrap_or(&no_peers);
        for peer in peers
            .iter()
            .filter(|p| p["current"] != true || p["offline"] == true)
        {
            behind.push(format!(
                "{} on {}",
                text(&stream["config"]["name"]),
                text(&peer["name"])
            ));
        }
    }
    let found = format!(
        "cluster {cluster}, {wanted} copies wanted, {} streams",
        streams.len()
    );
    if behind.is_empty() {
        return Finding::ok(Check::Replicas, found);
    }
    let found = format!("{found}; not current: {}", behind.join(", "));
    let remedy = "wait until they have caught up, or see why those servers do not run";
    Finding::warning(Check::Replicas, found, remedy)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn a_limit_is_judged_by_how_full_it_is() {
        let verdict = |used: u64, limit: i64| {
            let account =
                json!({ "storage": used, "limits": { "max_storage": limit, "max_memory": -1 } });
            limits(&account).verdict
        };
        assert_eq!(verdict(u64::MAX, -1), Verdict::Ok);
        assert_eq!(verdict(79, 100), Verdict::Ok);
        assert_eq!(verdict(80, 100), Verdict::Warning);
        assert_eq!(verdict(100, 100), Verdict::Error);
        assert_eq!(verdict(0, 0), Verdict::Error);
        assert_eq!(limits(&json!({})).verdict, Verdict::Ok);
    }

    #[test]
    fn copies_need_a_cluster_and_have_to_be_current() {
        let none = json!({ "streams": [] });
        assert_eq!(copies(None, 1, &none).verdict, Verdict::Ok);
        assert_eq!(copies(None, 3, &none).verdict, Verdict::Error);
        assert_eq!(copies(Some("c"), 3, &json!({})).verdict, Verdict::Ok);
        let stream = |current: bool| {
            json!({ "streams": [{
                "config": { "name": "jobs" },
                "cluster": { "replicas": [{ "name": "n2", "current": current }] },
            }] })
        };
        assert_eq!(copies(Some("c"), 3, &stream(true)).verdict, Verdict::Ok);
        let behind = copies(Some("c"), 3, &stream(false));
        assert_eq!(behind.verdict, Verdict::Warning);
        assert!(behind.found.contains("jobs on n2"), "{behind:?}");
    }
}
