//! The dial with TLS and credentials, and what the connection may do.

use std::time::Duration;

use naq_config::settings::NatsSettings;
use tokio::time::{Instant, timeout};

use super::finding::{Check, Finding};
use super::report::Report;
use crate::error::{ConnectionError, ConnectionErrorKind};
use crate::lease::Connection;
use crate::service::ConnectionService;

/// A round trip that takes longer is worth a look: a job needs several.
const SLOW: Duration = Duration::from_millis(250);

/// A connection for the examination alone.
pub(super) struct Session {
    service: ConnectionService,
    connection: Connection,
}

impl Session {
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) async fn close(self, limit: Duration) {
        drop(self.connection);
        // What is left then ends with the process.
        let _report = self.service.shutdown(limit).await;
    }
}

/// Dials; `None` if that failed.
pub(super) async fn open(
    settings: &NatsSettings,
    limit: Duration,
    report: &mut Report<'_>,
) -> Option<Session> {
    let servers = u32::try_from(settings.servers.len()).unwrap_or(u32::MAX);
    let settings = NatsSettings {
        request_timeout: limit,
        // The servers share it.
        connection_timeout: limit.saturating_mul(servers),
        ..settings.clone()
    };
    let service = ConnectionService::new(settings.clone());
    let connection = match service.connection().await {
        Ok(connection) => connection,
        Err(error) => {
            failed(&error, report);
            return None;
        }
    };
    let info = connection.server_info();
    report.add(transport(&settings, info.tls_required));
    report.add(Finding::ok(
        Check::Auth,
        match info.auth_required {
            true => "the server takes our credentials",
            false => "the server asks for none",
        },
    ));
    Some(Session {
        service,
        connection,
    })
}

fn pace(took: Duration) -> Finding {
    let found = format!("{took:.1?}");
    if took < SLOW {
        return Finding::ok(Check::RoundTrip, found);
    }
    let remedy = "a job needs several round trips: run workers nearer to the server";
    Finding::warning(Check::RoundTrip, found, remedy)
}

fn transport(settings: &NatsSettings, required: bool) -> Finding {
    let by_url = |url: &String| url.starts_with("tls://") || url.starts_with("wss://");
    if required || settings.tls.enabled || settings.servers.iter().any(by_url) {
        let own = match settings.tls.cert_file {
            Some(_) => ", ours too",
            None => "",
        };
        return Finding::ok(
            Check::Tls,
            format!("in use, the server's certificate is trusted{own}"),
        );
    }
    let is_local = |url: &String| {
        ["localhost", "127.0.0.1", "[::1]"]
            .iter()
            .any(|h| url.contains(h))
    };
    if settings.servers.iter().all(is_local) {
        return Finding::ok(Check::Tls, "not in use, to a server on this host");
    }
    let remedy = "everything, credentials too, travels readably: set `nats.tls.enabled`, or be sure of the network";
    Finding::warning(Check::Tls, "not in use", remedy)
}

fn failed(error: &ConnectionError, report: &mut Report<'_>) {
    let text = error.to_string();
    match error.kind() {
        ConnectionErrorKind::Tls => {
            report.add(Finding::error(Check::Tls, &text, tls_remedy(&text)));
        }
        ConnectionErrorKind::AuthFailed => {
            report.add(Finding::skipped(
                Check::Tls,
                "the server has read our credentials",
            ));
            let remedy = "check the section `nats.auth` (or the user in the URL), and the users of the server";
            report.add(Finding::error(Check::Auth, text, remedy));
        }
        _ => report.add(Finding::error(
            Check::RoundTrip,
            text,
            "the server was there a moment ago: see its log",
        )),
    }
}

/// The words are those of the TLS library.
fn tls_remedy(text: &str) -> &'static str {
    const REMEDIES: [(&str, &str); 6] = [
        (
            "UnknownIssuer",
            "set `nats.tls.ca_file` to the certificate of the server's authority",
        ),
        (
            "CertificateRequired",
            "the server wants a certificate of ours: set `nats.tls.cert_file` and `key_file`",
        ),
        (
            "NotValidForName",
            "use a host name that is in the server's certificate",
        ),
        (
            "not valid for name",
            "use a host name that is in the server's certificate",
        ),
        ("xpired", "the certificate has expired, or a clock is wrong"),
        (
            "InvalidContentType",
            "the server does not speak TLS: leave `nats.tls.enabled` off, or enable it there",
        ),
    ];
    let known = REMEDIES.iter().find(|(word, _)| text.contains(word));
    known.map_or(
        "check the section `nats.tls` and its files",
        |(_, remedy)| remedy,
    )
}

/// Publishes to an inbox and hears it, which every request needs, then measures the way. Whether
/// there is a point in asking more.
pub(super) async fn converse(
    connection: &Connection,
    limit: Duration,
    report: &mut Report<'_>,
) -> bool {
    if let Err(found) = echo(connection, limit).await {
        // The server has just answered the handshake, so it is rather not the server.
        let remedy = "allow this user to publish and to subscribe to `_INBOX.>`; or the server \
                      hangs: see its log";
        report.add(Finding::error(Check::Permissions, found, remedy));
        return false;
    }
    let found = "we may publish and subscribe to our inbox";
    report.add(Finding::ok(Check::Permissions, found));
    let started = Instant::now();
    let answered = connection.flush_confirmed_within(limit).await;
    let is_good = answered.is_ok();
    report.add(match answered {
        Ok(()) => pace(started.elapsed()),
        Err(error) => {
            let remedy = "the server stopped answering: see its log and load";
            Finding::error(Check::RoundTrip, error.to_string(), remedy)
        }
    });
    is_good
}

async fn echo(connection: &Connection, limit: Duration) -> Result<(), String> {
    let told = |error: ConnectionError| error.to_string();
    let inbox = connection.new_inbox();
    let mut heard = connection.subscribe(inbox.clone()).await.map_err(told)?;
    connection
        .publish(inbox, "naq doctor")
        .await
        .map_err(told)?;
    match timeout(limit, heard.next()).await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err("the connection has ended".to_owned()),
        Err(_elapsed) => Err(format!(
            "a message to our own inbox has not come back within {limit:?}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn what_travels_in_clear_to_another_host_is_a_warning() {
        let at = |url: &str| NatsSettings {
            servers: vec![url.to_owned()],
            ..NatsSettings::default()
        };
        for (url, required, verdict) in [
            ("nats://localhost:4222", false, Verdict::Ok),
            ("nats://db.example:4222", false, Verdict::Warning),
            ("nats://db.example:4222", true, Verdict::Ok),
            ("tls://db.example:4222", false, Verdict::Ok),
        ] {
            assert_eq!(transport(&at(url), required).verdict, verdict, "{url}");
        }
    }

    #[test]
    fn a_slow_round_trip_is_a_warning() {
        assert_eq!(pace(Duration::from_millis(1)).verdict, Verdict::Ok);
        assert_eq!(pace(SLOW).verdict, Verdict::Warning);
    }
}
