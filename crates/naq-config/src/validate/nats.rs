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
    const SEED: &str = "nats.auth.nkey_seed";
    match (&auth.username, &auth.password) {
        (Some(_), None) => findings.keys(&[USER, PASSWORD], "a user name needs a password"),
        (None, Some(_)) => findings.keys(&[PASSWORD, USER], "a password needs a user name"),
        _ => {}
    }
    let ways = [
        (
            auth.credentials_file.is_some(),
            "nats.auth.credentials_file",
        ),
        (auth.nkey_seed_file.is_some(), "nats.auth.nkey_seed_file"),
        (auth.nkey_seed.is_some(), SEED),
        (auth.token.is_some(), "nats.auth.token"),
        (auth.username.is_some() || auth.password.is_some(), USER),
    ];
    let chosen: Vec<_> = ways
        .iter()
        .filter(|(is_set, _)| *is_set)
        .map(|(_, key)| *key)
        .collect();
    if chosen.len() > 1 {
        let message = format!(
            "these exclude each other: {}; set one of them",
            chosen.join(", ")
        );
        let mut keys = chosen;
        keys.push(PASSWORD);
        findings.keys(&keys, message);
    }
    if auth
        .nkey_seed
        .as_ref()
        .is_some_and(|seed| !is_user_seed(seed.expose()))
    {
        findings.key(
            SEED,
            "must be the seed of a user: 58 characters that begin with `SU`",
        );
    }
}

/// The form only: the connection checks the seed itself.
fn is_user_seed(text: &str) -> bool {
    let text = text.trim();
    let in_base32 = |c: char| matches!(c, 'A'..='Z' | '2'..='7');
    text.len() == 58 && text.starts_with("SU") && text.chars().all(in_base32)
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
