//! One server: its name, its port, its first words.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};

use super::finding::{Check, Finding};
use crate::dial::Endpoint;

/// The first line of a server is about 1 KiB, and longer with many servers in the cluster.
const MAX_GREETING: u64 = 64 * 1024;

/// The findings of the steps that were taken; the first error ends them.
pub(super) async fn reach(endpoint: &Endpoint, limit: Duration) -> Vec<Finding> {
    let name = endpoint.name();
    let mut findings = Vec::new();
    let addresses = match lookup(endpoint, limit).await {
        Ok(addresses) => addresses,
        Err(why) => {
            let remedy = "check the host name in `nats.servers`, and the name service of this host";
            findings.push(Finding::error(
                Check::Lookup,
                format!("{name}: {why}"),
                remedy,
            ));
            return findings;
        }
    };
    let shown: Vec<String> = addresses.iter().map(|a| a.ip().to_string()).collect();
    findings.push(Finding::ok(
        Check::Lookup,
        format!("{name} is {}", shown.join(", ")),
    ));
    let started = Instant::now();
    let stream = match timeout(limit, connect(&addresses)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            let remedy = match error.kind() {
                ErrorKind::ConnectionRefused => {
                    "nothing listens there: is the server running, and is the port right? \
                     `naq dev` starts one on this host"
                }
                _ => "check the way to that host: routes, firewalls, proxies",
            };
            findings.push(Finding::error(
                Check::Tcp,
                format!("{name}: {error}"),
                remedy,
            ));
            return findings;
        }
        Err(_elapsed) => {
            let found = format!("{name}: no answer within {limit:?}");
            let remedy = "a firewall may drop the packets, or the address is not in use";
            findings.push(Finding::error(Check::Tcp, found, remedy));
            return findings;
        }
    };
    let took = started.elapsed();
    findings.push(Finding::ok(
        Check::Tcp,
        format!("{name} took the connection in {took:.1?}"),
    ));
    if endpoint.addr.is_websocket() {
        let found = format!("{name}: a WebSocket server waits to be spoken to");
        findings.push(Finding::skipped(Check::Greeting, found));
    } else {
        findings.push(greeting(&name, stream, limit).await);
    }
    findings
}

async fn lookup(endpoint: &Endpoint, limit: Duration) -> Result<Vec<SocketAddr>, String> {
    // The brackets of an IPv6 address are of the URL.
    let host = endpoint
        .addr
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']');
    match timeout(limit, lookup_host((host, endpoint.addr.port()))).await {
        Ok(Ok(found)) => match found.collect::<Vec<_>>() {
            none if none.is_empty() => Err("the name has no address".to_owned()),
            addresses => Ok(addresses),
        },
        Ok(Err(error)) => Err(error.to_string()),
        Err(_elapsed) => Err(format!(
            "the name service has not answered within {limit:?}"
        )),
    }
}

async fn connect(addresses: &[SocketAddr]) -> std::io::Result<TcpStream> {
    // Tries one after the other.
    TcpStream::connect(addresses).await
}

async fn greeting(name: &str, stream: TcpStream, limit: Duration) -> Finding {
    let mut line = Vec::new();
    let mut reader = BufReader::new(stream.take(MAX_GREETING));
    match timeout(limit, reader.read_until(b'\n', &mut line)).await {
        Ok(Ok(_)) => judge(name, &String::from_utf8_lossy(&line)),
        Ok(Err(error)) => Finding::error(
            Check::Greeting,
            format!("{name}: {error}"),
            "the server ended the connection: see its log",
        ),
        Err(_elapsed) => Finding::error(
            Check::Greeting,
            format!("{name} says nothing for {limit:?}"),
            "a NATS server speaks first: it hangs, or has `handshake_first` (not supported here), \
             or something else listens on this port",
        ),
    }
}

/// What the first line says of who is there.
fn judge(name: &str, line: &str) -> Finding {
    let info: Option<Value> = line
        .strip_prefix("INFO ")
        .and_then(|info| serde_json::from_str(info).ok());
    let Some(info) = info else {
        let short: String = line.trim().chars().take(60).collect();
        let found = match short.is_empty() {
            true => format!("{name} ended the connection without a word"),
            false => format!(
                "{name} is no NATS server: it says `{}`",
                short.escape_debug()
            ),
        };
        let remedy = "check the port: the monitoring and WebSocket ports of a server are others";
        return Finding::error(Check::Greeting, found, remedy);
    };
    let text = |key: &str| info[key].as_str().unwrap_or("?").to_owned();
    let found = format!(
        "{name} is `{}`, nats-server {}",
        text("server_name"),
        text("version")
    );
    match info["ldm"].as_bool() {
        Some(true) => {
            let remedy = "nothing to do if another server of the cluster takes over";
            Finding::warning(
                Check::Greeting,
                format!("{found}, about to shut down"),
                remedy,
            )
        }
        _ => Finding::ok(Check::Greeting, found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn only_a_nats_server_greets_like_one() {
        let good = r#"INFO {"server_name":"n1","version":"2.15.1"}"#;
        let found = judge("nats://a:1", good);
        assert_eq!(
            found,
            Finding::ok(Check::Greeting, "nats://a:1 is `n1`, nats-server 2.15.1")
        );
        let leaving = judge("a", r#"INFO {"server_name":"n1","version":"2","ldm":true}"#);
        assert_eq!(leaving.verdict, Verdict::Warning);
        for other in [
            "",
            "\r\n",
            "HTTP/1.1 400 Bad Request\r\n",
            "INFO {",
            "-ERR 'x'",
        ] {
            assert_eq!(judge("a", other).verdict, Verdict::Error, "{other:?}");
        }
    }
}
