//! Variables that earlier documents name and that have no meaning here, with what to do instead.

const NO_SCHEDULER: &str =
    "schedules live in the server: there is no scheduler process, leader or scan; unset it";
const JSON_ONLY: &str = "payloads and results are JSON in each language; unset it";
const LOG_TO_STDERR: &str = "logs go to standard error; redirect them there, and unset it";
const SERVER_EXPIRES: &str = "the server expires what is due by itself; unset it";

/// Variable and advice.
const ADVICE: &[(&str, &str)] = &[
    ("NAQ_SCHEDULER_ENABLED", NO_SCHEDULER),
    ("NAQ_SCHEDULER_LOCK_TTL", NO_SCHEDULER),
    ("NAQ_SCHEDULER_LOCK_RENEW_INTERVAL", NO_SCHEDULER),
    ("NAQ_SCHEDULER_SCAN_INTERVAL", NO_SCHEDULER),
    ("NAQ_MAX_SCHEDULE_FAILURES", NO_SCHEDULER),
    ("NAQ_JOB_SERIALIZER", JSON_ONLY),
    ("NAQ_JSON_ENCODER", JSON_ONLY),
    ("NAQ_JSON_DECODER", JSON_ONLY),
    (
        "NAQ_LOG_LEVEL",
        "only the command `naq` logs at this level, as with `--log-level`; a program sets its own",
    ),
    ("NAQ_LOG_FORMAT", LOG_TO_STDERR),
    ("NAQ_LOG_FILE_PATH", LOG_TO_STDERR),
    ("NAQ_LOG_TO_FILE_ENABLED", LOG_TO_STDERR),
    ("NAQ_LOG_MAX_SIZE", LOG_TO_STDERR),
    ("NAQ_RESULT_CLEANUP_INTERVAL", SERVER_EXPIRES),
    (
        "NAQ_JOB_STATUS_TTL",
        "outcomes are kept as long as `results.ttl` says (NAQ_RESULT_TTL); unset it",
    ),
    (
        "NAQ_RESULT_KV_BUCKET",
        "results are kept in a stream named after `queues.prefix`; unset it",
    ),
    (
        "NAQ_EVENT_STORAGE_URL",
        "events are kept on the server of the jobs (`nats.servers`); unset it",
    ),
];

/// What to do about a variable that earlier documents name and that has no meaning here; `None` for any other.
///
/// ```
/// let advice = naq_config::advice_for_variable("NAQ_SCHEDULER_LOCK_TTL").unwrap();
/// assert!(advice.contains("no scheduler process"));
/// ```
pub fn advice_for_variable(name: &str) -> Option<&'static str> {
    let found = ADVICE.iter().find(|(variable, _)| *variable == name);
    found.map(|(_, advice)| *advice)
}
