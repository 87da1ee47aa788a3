//! Rules of section `nats`.

use super::Findings;
use crate::server_url;
use crate::settings::{Auth, NatsSettings, Tls};

pub(super) fn check(nats: &NatsSettings, findings: &mut Findings<'_>) {
    servers(&nats.servers, findings);
    auth(&nats.auth, findings);
    tls(&nats.tls, findings);
    if nats.client_name.trim().is_empty() {
        findings.key("nats.client_name", "must not be empty");
    }
}

fn servers(servers: &[String], findings: &mut Findings<'_>) {
    if servers.is_empty() {
        findings.key("nats.servers", "No NATS servers configured");
    }
    for (index, url) in servers.iter().enumerate() {
        if let Err(why) = server_url::check(url) {
            let url = server_url::redact_url(url);
            let message = format!(
                "Invalid NATS server URL format: `{}`: {why}",
                url.escape_debug()
            );
            findings.element("nats.servers", index, message);
        }
    }
}

fn auth(auth: &Auth, findings: &mut Findings<'_>) {
    const USER: &str = "nats.auth.username";
    const PASSWORD: &str = "nats.auth.password";
    const TOKEN: &str = "nats.auth.token";
    match (&auth.username, &auth.password) {
        (Some(_), None) => findings.keys(&[USER, PASSWORD], "a user name needs a password"),
        (None, Some(_)) => findings.keys(&[PASSWORD, USER], "a password needs a user name"),
        _ => {}
    }
    if auth.token.is_some() && (auth.username.is_some() || auth.password.is_some()) {
        let message = "a token excludes a user name and password; set one or the other";
        findings.keys(&[TOKEN, USER, PASSWORD], message);
    }
}

fn tls(tls: &Tls, findings: &mut Findings<'_>) {
    const CERT: &str = "nats.tls.cert_file";
    const KEY: &str = "nats.tls.key_file";
    match (&tls.cert_file, &tls.key_file) {
        (Some(_), None) => findings.keys(&[CERT, KEY], "a certificate needs `nats.tls.key_file`"),
        (None, Some(_)) => findings.keys(&[KEY, CERT], "a key needs `nats.tls.cert_file`"),
        _ => {}
    }
}
