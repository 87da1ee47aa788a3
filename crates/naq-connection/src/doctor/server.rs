//! What the server says of itself.

use async_nats::ServerInfo;

use super::finding::{Check, Finding};

/// Payloads below this are normal; a smaller limit of the server will be met.
const USUAL_PAYLOAD: usize = 1024 * 1024;

pub(super) fn version(info: &ServerInfo, minimum: Option<(u64, u64)>) -> Finding {
    let found = format!("nats-server {}", info.version);
    let Some((major, minor)) = minimum else {
        return Finding::ok(Check::Version, found);
    };
    match parse(&info.version) {
        Some(version) if version >= (major, minor) => Finding::ok(
            Check::Version,
            format!("{found}, {major}.{minor} or newer is needed"),
        ),
        _ => Finding::error(
            Check::Version,
            format!("{found}, {major}.{minor} or newer is needed"),
            "upgrade the server; `naq dev` brings its own",
        ),
    }
}

pub(super) fn features(info: &ServerInfo) -> Finding {
    let payload = format!("messages up to {} bytes", info.max_payload);
    if !info.headers {
        let found = format!("{payload}, no headers");
        return Finding::error(
            Check::Features,
            found,
            "allow headers in the server's configuration",
        );
    }
    if info.max_payload < USUAL_PAYLOAD {
        let remedy = "jobs with large payloads or results will be refused: raise `max_payload` at the server";
        return Finding::warning(Check::Features, format!("headers, {payload}"), remedy);
    }
    Finding::ok(Check::Features, format!("headers, {payload}"))
}

/// Major and minor number of `2.15.1-beta`.
fn parse(version: &str) -> Option<(u64, u64)> {
    let mut parts = version.trim_start_matches('v').split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    fn info(version: &str, max_payload: usize, headers: bool) -> ServerInfo {
        let text =
            format!(r#"{{"version":"{version}","max_payload":{max_payload},"headers":{headers}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        let verdict = |text: &str| version(&info(text, 0, true), Some((2, 14))).verdict;
        for good in ["2.14.0", "2.15.1-beta", "v2.100.0", "3.0.0"] {
            assert_eq!(verdict(good), Verdict::Ok, "{good}");
        }
        for bad in ["2.9.22", "2.13.9", "1.99.0", "", "two"] {
            assert_eq!(verdict(bad), Verdict::Error, "{bad}");
        }
    }

    #[test]
    fn headers_are_needed_and_a_small_payload_is_worth_a_look() {
        let verdict = |payload, headers| features(&info("2.15.1", payload, headers)).verdict;
        assert_eq!(verdict(USUAL_PAYLOAD, true), Verdict::Ok);
        assert_eq!(verdict(1000, true), Verdict::Warning);
        assert_eq!(verdict(USUAL_PAYLOAD, false), Verdict::Error);
    }
}
