//! What a NATS server URL looks like, and how to print one without its credentials.

use std::net::Ipv6Addr;

const SCHEMES: [&str; 4] = ["nats", "tls", "ws", "wss"];

/// `url` with everything before the `@` replaced by `***`.
///
/// It errs on the side of hiding too much: it looks for the last `@`, also in a text that is
/// not a URL, because a password may hold any character.
pub fn redact_url(url: &str) -> String {
    let Some(at) = url.rfind('@') else {
        return url.to_owned();
    };
    let start = url[..at].find("://").map_or(0, |scheme| scheme + 3);
    format!("{}***{}", &url[..start], &url[at..])
}

/// Checks the form of a server URL; the error says what is wrong with it.
pub(crate) fn check(url: &str) -> Result<(), &'static str> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err("it must begin with nats://, tls://, ws:// or wss://");
    };
    if !SCHEMES
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
    {
        return Err("the scheme must be nats, tls, ws or wss");
    }
    if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("it must not have white space");
    }
    let address = rest.rsplit_once('@').map_or(rest, |(_, address)| address);
    let (address, path) = address.split_once('/').unwrap_or((address, ""));
    if !path.is_empty() && !scheme.to_ascii_lowercase().starts_with("ws") {
        return Err("only ws:// and wss:// may have a path");
    }
    check_address(address)
}

fn check_address(address: &str) -> Result<(), &'static str> {
    let (host_is_valid, port) = if let Some(bracketed) = address.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']').ok_or("the `[` is not closed")?;
        (host.parse::<Ipv6Addr>().is_ok(), after)
    } else {
        let (host, port) = address.split_at(address.find(':').unwrap_or(address.len()));
        (is_host(host), port)
    };
    if !host_is_valid {
        return Err("the host is missing or not valid (an IPv6 address needs brackets)");
    }
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok(()),
        Some(number) if is_port(number) => Ok(()),
        _ => Err("the port must be a number from 1 to 65535"),
    }
}

fn is_host(host: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    host.chars().any(char::is_alphanumeric) && host.chars().all(allowed)
}

fn is_port(number: &str) -> bool {
    number.chars().all(|c| c.is_ascii_digit()) && number.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_the_client_can_dial_is_accepted() {
        for url in [
            "nats://localhost:4222",
            "nats://localhost",
            "nats://user:p@ss@host:4222",
            "nats://token@host",
            "tls://nats.example.com:4443/",
            "ws://host:80/path",
            "wss://host",
            "nats://[::1]:4222",
            "nats://[fe80::1]",
            "nats://10.0.0.1:4222",
            "NATS://host",
        ] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for url in [
            "",
            "localhost:4222",
            "http://localhost",
            "nats-tls://localhost",
            "nats://",
            "nats://:4222",
            "nats://host:0",
            "nats://host:+80",
            "nats://host:99999",
            "nats://host:",
            "nats://::1:4222",
            "nats://[::1",
            "nats://[host]:1",
            "nats://ho st",
            "nats://host/path",
            "nats://${HOST}:4222",
        ] {
            assert!(check(url).is_err(), "{url}");
        }
    }

    #[test]
    fn credentials_are_hidden_also_in_a_text_that_is_no_url() {
        assert_eq!(redact_url("nats://u:p@h:1"), "nats://***@h:1");
        assert_eq!(redact_url("nats://u:p@/x@h:1"), "nats://***@h:1");
        assert_eq!(redact_url("u:p@h"), "***@h");
        assert_eq!(redact_url("nats://h:1"), "nats://h:1");
    }
}
