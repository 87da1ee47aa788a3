//! Keys that other versions or earlier documents name and that have no meaning here.

const SERVER_EXPIRES: &str = "the server expires results itself; remove this key";
const RESULTS_STREAM: &str =
    "results are kept in a stream named after `queues.prefix`; remove this key";

const SAME_SERVER: &str =
    "events are kept on the server of the jobs (`nats.servers`); remove this key";

const FULL_STREAM_DROPS: &str = "a full stream with schedules would drop its oldest jobs instead of \
     refusing new ones; limit the account's storage at the server instead, and remove this key";

/// Path and advice; the path also stands for everything below it.
const REFUSED: &[(&str, &str)] = &[
    ("results.cleanup_interval", SERVER_EXPIRES),
    ("results.kv_bucket", RESULTS_STREAM),
    ("events.storage_url", SAME_SERVER),
    ("queues.max_bytes", FULL_STREAM_DROPS),
    ("results.default_ttl", "the key is called `results.ttl`"),
    (
        "nats.url",
        "the key is called `nats.servers` and takes a list",
    ),
    (
        "nats.nats_url",
        "the key is called `nats.servers` and takes a list",
    ),
];

/// Sections of earlier documents, and what to do instead.
const SECTIONS: [(&str, &str); 3] = [
    (
        "scheduler",
        "schedules live in the server: there is no scheduler process, leader or scan; remove this section",
    ),
    (
        "serialization",
        "payloads and results are JSON in each language; remove this section",
    ),
    (
        "logging",
        "the command `naq` logs to standard error at `--log-level`, a program as it likes; remove this section",
    ),
];

/// Why a path that is not in the key table is refused, if there is a special reason.
pub(crate) fn refusal<S: AsRef<str>>(path: &[S]) -> Option<String> {
    let first = path.first()?.as_ref();
    if let Some((_, advice)) = SECTIONS.iter().find(|(section, _)| *section == first) {
        return Some((*advice).to_owned());
    }
    let under = |refused: &str| {
        let mut segments = path.iter();
        refused
            .split('.')
            .all(|part| segments.next().is_some_and(|s| s.as_ref() == part))
    };
    let found = REFUSED.iter().find(|(refused, _)| under(refused));
    found.map(|(_, advice)| (*advice).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_key_says_why() {
        let advice = refusal(&["logging", "level"]).unwrap();
        assert!(advice.contains("--log-level"), "{advice}");
        assert_eq!(
            refusal(&["results", "cleanup_interval"]).as_deref(),
            Some(SERVER_EXPIRES)
        );
        assert_eq!(refusal(&["results", "ttl"]), None);
        assert_eq!(refusal::<&str>(&[]), None);
    }
}
