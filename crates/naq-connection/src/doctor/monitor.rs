//! What only the monitoring port of the server knows: how often it writes to the disk for good.

use std::io;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::clock;
use super::finding::{Check, Finding};
use super::report::Report;

/// `/jsz` without its details is below 4 KiB.
const MAX_ANSWER: u64 = 1024 * 1024;

const DEFAULT_PORT: &str = "8222";

/// Adds what the port tells; the answer is the finding about its clock.
pub(super) async fn look(
    url: Option<&str>,
    limit: Duration,
    report: &mut Report<'_>,
) -> Option<Finding> {
    let Some(url) = url else {
        report.add(Finding::skipped(
            Check::Fsync,
            "a client cannot see `sync_interval`: ask with the monitoring URL (http://host:8222), or see the \
             server's configuration (its default writes every 2 minutes)",
        ));
        return None;
    };
    let answer = timeout(limit, get(url)).await;
    let answer = answer.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()));
    let now = SystemTime::now();
    match answer {
        Ok(answer) => {
            report.add(judge(&answer));
            Some(clock::judge(answer["now"].as_str(), now))
        }
        Err(error) => {
            report.add(Finding::warning(
                Check::Fsync,
                format!("{url}: {error}"),
                "check the monitoring URL (http://host:8222), and `http_port` of the server",
            ));
            None
        }
    }
}

/// By hand, as HTTP/1.0: the server then answers with a plain body and closes, which needs no HTTP client.
async fn get(url: &str) -> io::Result<Value> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what);
    let rest = url.strip_prefix("http://");
    let address = rest.ok_or_else(|| invalid("the URL must begin with http://"))?;
    let address = address.split('/').next().unwrap_or_default();
    let has_port = address
        .rsplit(':')
        .next()
        .is_some_and(|port| port.parse::<u16>().is_ok());
    let address = match has_port {
        true => address.to_owned(),
        false => format!("{address}:{DEFAULT_PORT}"),
    };
    let mut stream = TcpStream::connect(&address).await?;
    let request = format!("GET /jsz HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER).read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if head.split(' ').nth(1) != Some("200") {
        return Err(invalid("the answer is not that of a monitoring port"));
    }
    serde_json::from_str(body).map_err(io::Error::other)
}

fn judge(answer: &Value) -> Finding {
    let config = &answer["config"];
    if config["sync_always"] == true {
        return Finding::ok(
            Check::Fsync,
            "every write is on the disk before it is acknowledged",
        );
    }
    match config["sync_interval"].as_u64() {
        Some(nanos) => Finding::warning(
            Check::Fsync,
            format!(
                "the disk is written every {:?}",
                Duration::from_nanos(nanos)
            ),
            "a power failure of every copy's machine loses what was acknowledged since: set \
             `sync_interval: always` at the server, or keep copies on several machines",
        ),
        None => Finding::skipped(Check::Fsync, "the server does not tell its `sync_interval`"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn writing_later_than_acknowledging_is_a_warning() {
        let later = json!({ "config": { "sync_interval": 120_000_000_000_u64 } });
        assert!(judge(&later).found.contains("120s"));
        assert_eq!(judge(&later).verdict, Verdict::Warning);
        let always = json!({ "config": { "sync_always": true, "sync_interval": 1 } });
        assert_eq!(judge(&always).verdict, Verdict::Ok);
        assert_eq!(judge(&json!({})).verdict, Verdict::Skipped);
    }
}
