//! The envelope: the JSON body of a job message.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::retry::WireRetry;
use super::times::millis;
use crate::model::{Job, KindName, ObjectRef, RetryPolicy};

/// The version that this build writes, and the newest that it reads.
pub(crate) const VERSION: u32 = 1;

/// A decoded envelope; the payload stays the text that was sent.
#[derive(Debug)]
pub(crate) struct Envelope<'a> {
    pub(crate) kind: KindName,
    /// `null` if it is in the object store, or packed.
    pub(crate) payload: &'a RawValue,
    pub(crate) payload_ref: Option<ObjectRef>,
    /// The payload as base64 of a zlib stream; then `payload` is `null`.
    pub(crate) payload_zlib: Option<Cow<'a, str>>,
    /// 1 if the sender does not say.
    pub(crate) payload_version: u32,
    pub(crate) retry: RetryPolicy,
    pub(crate) timeout: Option<Duration>,
    pub(crate) result_ttl: Option<Duration>,
    pub(crate) keeps_result: bool,
    pub(crate) strict: bool,
    pub(crate) enqueued_at: Option<SystemTime>,
    pub(crate) expires_at: Option<SystemTime>,
    pub(crate) deadline: Option<SystemTime>,
    pub(crate) flow: Option<FlowNode>,
    /// Other jobs may be kept back until it has ended.
    pub(crate) is_awaited: bool,
}

impl Envelope<'_> {
    /// Whether `payload` is the payload.
    pub(crate) fn is_plain(&self) -> bool {
        self.payload_ref.is_none() && self.payload_zlib.is_none()
    }

    /// Whether the sender compressed the payload, so that its readers know how.
    pub(crate) fn is_packed(&self) -> bool {
        let is_packed = |object: &ObjectRef| object.encoding.is_some();
        self.payload_zlib.is_some() || self.payload_ref.as_ref().is_some_and(is_packed)
    }
}

/// The node of a workflow that a job is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FlowNode {
    /// The workflow.
    pub(crate) id: String,
    /// The number of the node.
    pub(crate) node: u32,
    /// How often the node was begun again before.
    #[serde(default)]
    pub(crate) round: u32,
}

/// Why a body is no envelope. None of it gets better by trying again, so such a job is parked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Undecodable {
    #[error("the envelope's version is {0}, this worker reads up to {VERSION}")]
    Version(u64),
    #[error("the body is no envelope: {0}")]
    Malformed(String),
}

#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    v: u32,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(
        default,
        borrow,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    payload: Option<&'a RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload_ref: Option<ObjectRef>,
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    payload_zlib: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload_version: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry: Option<WireRetry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    result_ttl_s: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep_result: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    enqueued_at_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deadline_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    flow: Option<FlowNode>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    awaited: bool,
}

/// A `null` is a payload, too.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

/// The version alone, so that a newer envelope is told from a broken one.
#[derive(Deserialize)]
struct Version {
    v: u64,
}

/// Writes the envelope of `job`.
pub(crate) fn encode<R>(job: &Job<R>, now: SystemTime) -> Result<Vec<u8>, serde_json::Error> {
    let moment = |time: SystemTime| time.duration_since(UNIX_EPOCH).ok().map(millis);
    let is_plain = job.payload_ref.is_none() && job.payload_zlib.is_none();
    serde_json::to_vec(&Wire {
        v: VERSION,
        kind: job.kind.as_str().into(),
        payload: is_plain.then_some(&*job.payload),
        payload_ref: job.payload_ref.clone(),
        payload_zlib: job.payload_zlib.as_deref().map(Cow::Borrowed),
        payload_version: (job.payload_version != 1).then_some(job.payload_version),
        retry: (job.retry.retries > 0).then(|| WireRetry::from(&job.retry)),
        timeout_ms: job.timeout.map(millis),
        result_ttl_s: job.result_ttl.map(|d| d.as_secs().max(1)),
        keep_result: (!job.keeps_result).then_some(false),
        strict: job.strict.then_some(true),
        enqueued_at_ms: moment(now),
        expires_at_ms: job.expires.and_then(|expires| moment(expires.instant(now))),
        deadline_ms: job.deadline_from(now).and_then(moment),
        flow: None,
        awaited: false,
    })
}

/// Reads a body that anybody may have written. Unknown fields are left alone: a later version 1 may add some.
pub(crate) fn decode(body: &[u8]) -> Result<Envelope<'_>, Undecodable> {
    let malformed = |e: &dyn std::fmt::Display| Undecodable::Malformed(e.to_string());
    let wire: Wire<'_> = match serde_json::from_slice(body) {
        Ok(wire) => wire,
        Err(error) => {
            return Err(match serde_json::from_slice::<Version>(body) {
                Ok(version) if version.v > u64::from(VERSION) => Undecodable::Version(version.v),
                _ => malformed(&with_field(body, &error)),
            });
        }
    };
    if wire.v != VERSION {
        return Err(Undecodable::Version(u64::from(wire.v)));
    }
    let payload = match (wire.payload, &wire.payload_ref, &wire.payload_zlib) {
        (Some(payload), None, None) => payload,
        (None, Some(_), None) | (None, None, Some(_)) => RawValue::NULL,
        (None, None, None) => return Err(malformed(&"missing field `payload`")),
        _ => {
            let text = "more than one of `payload`, `payload_ref` and `payload_zlib`";
            return Err(malformed(&text));
        }
    };
    if let Some(reference) = &wire.payload_ref {
        check_object(&reference.object).map_err(|text| malformed(&text))?;
    }
    let moment = |ms| UNIX_EPOCH.checked_add(Duration::from_millis(ms));
    Ok(Envelope {
        kind: KindName::new(wire.kind.into_owned())
            .map_err(|e| malformed(&format!("field `kind`: {e}")))?,
        payload,
        payload_ref: wire.payload_ref,
        payload_zlib: wire.payload_zlib,
        payload_version: wire.payload_version.unwrap_or(1),
        retry: wire.retry.unwrap_or_default().into(),
        timeout: wire.timeout_ms.map(Duration::from_millis),
        result_ttl: wire.result_ttl_s.map(Duration::from_secs),
        keeps_result: wire.keep_result.unwrap_or(true),
        strict: wire.strict.unwrap_or(false),
        enqueued_at: wire.enqueued_at_ms.and_then(moment),
        expires_at: wire.expires_at_ms.and_then(moment),
        deadline: wire.deadline_ms.and_then(moment),
        flow: wire.flow,
        is_awaited: wire.awaited,
    })
}

/// Longest name of an object; ours are a job id, `-`, and a ULID.
const MAX_OBJECT: usize = 128;

/// The name of an object becomes part of a subject: a wildcard in it would reach the payloads of others.
fn check_object(name: &str) -> Result<(), String> {
    let is_fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    if (1..=MAX_OBJECT).contains(&name.len()) && name.bytes().all(is_fine) {
        return Ok(());
    }
    Err(format!(
        "field `payload_ref.object`: {name:?} is not 1 to {MAX_OBJECT} of `A-Z a-z 0-9 _ -`"
    ))
}

/// The error with the field that it is about; the body is read again for it.
fn with_field(body: &[u8], error: &serde_json::Error) -> String {
    let mut reader = serde_json::Deserializer::from_slice(body);
    match serde_path_to_error::deserialize::<_, Wire<'_>>(&mut reader) {
        Err(found) if found.path().iter().next().is_some() => {
            format!("field `{}`: {}", found.path(), found.inner())
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_job_survives_the_wire() {
        let payload = serde_json::json!({"to": "Zoë 🦀", "n": [1, 2.5, null]});
        let job = Job::from_payload("mail.send", &payload)
            .unwrap()
            .retry(RetryPolicy::table([
                Duration::from_secs(2),
                Duration::from_secs(5),
            ]))
            .timeout(Duration::from_millis(1500))
            .result_ttl(Duration::from_secs(60))
            .payload_version(3)
            .discard_result()
            .strict()
            .delay(Duration::from_secs(3))
            .expires_in(Duration::from_secs(5))
            .deadline(Duration::from_secs(7));
        let now = UNIX_EPOCH + Duration::from_millis(1_763_762_400_123);
        let body = encode(&job, now).unwrap();
        let back = decode(&body).unwrap();
        assert_eq!(back.kind.as_str(), "mail.send");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(back.payload.get()).unwrap(),
            payload
        );
        assert_eq!(back.payload_version, 3);
        assert_eq!(back.retry, job.retry);
        assert_eq!(back.timeout, job.timeout);
        assert_eq!(back.result_ttl, job.result_ttl);
        assert!(!back.keeps_result && back.strict);
        assert_eq!(back.enqueued_at, Some(now));
        assert_eq!(back.expires_at, Some(now + Duration::from_secs(5)));
        // From when it is due.
        assert_eq!(back.deadline, Some(now + Duration::from_secs(10)));
    }

    #[test]
    fn a_newer_version_is_told_from_a_broken_body() {
        assert_eq!(
            decode(br#"{"v":2,"job":{}}"#).unwrap_err(),
            Undecodable::Version(2)
        );
        let newer = br#"{"v":7,"kind":"a","payload":1}"#;
        assert_eq!(decode(newer).unwrap_err(), Undecodable::Version(7));
        for bad in [
            "",
            "null",
            "{",
            r#"{"v":1}"#,
            r#"{"v":1,"kind":"a b","payload":1}"#,
            "\u{0}",
        ] {
            assert!(
                matches!(decode(bad.as_bytes()), Err(Undecodable::Malformed(_))),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn an_error_names_the_field_that_is_wrong() {
        for (field, body) in [
            (
                "retry.retries",
                r#"{"v":1,"kind":"k","payload":1,"retry":{"retries":-1}}"#,
            ),
            (
                "timeout_ms",
                r#"{"v":1,"kind":"k","payload":{"a":[1]},"timeout_ms":"5"}"#,
            ),
            ("kind", r#"{"v":1,"kind":7,"payload":1}"#),
            ("kind", r#"{"v":1,"kind":"a b","payload":1}"#),
            ("v", r#"{"v":"1","kind":"k","payload":1}"#),
            ("payload_ref", r#"{"v":1,"kind":"k","payload_ref":7}"#),
            (
                "payload_ref.object",
                r#"{"v":1,"kind":"k","payload_ref":{"object":"*","size":1,"digest":""}}"#,
            ),
            (
                "payload_ref.object",
                r#"{"v":1,"kind":"k","payload_ref":{"object":"a.b","size":1,"digest":""}}"#,
            ),
            ("payload_zlib", r#"{"v":1,"kind":"k","payload_zlib":[]}"#),
        ] {
            let error = decode(body.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(&format!("field `{field}`: ")), "{error}");
        }
    }

    #[test]
    fn the_vectors_of_the_specification_hold() {
        let vectors: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("../../../../docs/reference/wire-vectors.json"))
                .unwrap();
        assert!(vectors.len() >= 8);
        for vector in vectors {
            let name = vector["name"].as_str().unwrap();
            let body = vector["body"].as_str().unwrap().as_bytes();
            match (decode(body), vector["expect"].as_object()) {
                (Ok(envelope), Some(expect)) => {
                    assert_eq!(envelope.kind.as_str(), expect["kind"], "{name}");
                    let keeps_result = expect.get("keep_result").is_none_or(|keep| keep == true);
                    assert_eq!(envelope.keeps_result, keeps_result, "{name}");
                    let strict = expect.get("strict").is_some_and(|strict| strict == true);
                    assert_eq!(envelope.strict, strict, "{name}");
                    let flow = serde_json::to_value(&envelope.flow).unwrap();
                    assert_eq!(
                        flow,
                        expect.get("flow").cloned().unwrap_or_default(),
                        "{name}"
                    );
                    let delays: Vec<u128> = (0..)
                        .map_while(|n| envelope.retry.next_delay(n))
                        .map(|d| d.as_millis())
                        .collect();
                    assert_eq!(
                        serde_json::json!(delays),
                        expect["retry_delays_ms"],
                        "{name}"
                    );
                    let payload: serde_json::Value =
                        serde_json::from_str(envelope.payload.get()).unwrap();
                    assert_eq!(payload, expect["payload"], "{name}");
                }
                (Err(error), None) => {
                    let wanted = vector["error"].as_str().unwrap();
                    assert!(error.to_string().contains(wanted), "{name}: {error}");
                }
                (got, _) => panic!("{name}: {got:?}"),
            }
        }
    }

    proptest! {
        #[test]
        fn no_body_panics_the_decoder(body in proptest::collection::vec(any::<u8>(), 0..400)) {
            drop(decode(&body));
        }

        #[test]
        fn no_text_panics_the_decoder(body in r#"\{"v":[0-9]{1,3},"kind":"[a-z .]{0,9}","payload":.{0,40}\}"#) {
            drop(decode(body.as_bytes()));
        }
    }
}
