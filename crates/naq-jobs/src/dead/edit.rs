//! Another payload for a dead letter.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::DeadLetter;
use crate::payload::{payload_in, release};
use crate::server::{Link, expect_newest, wrong_sequence};
use crate::wire::{decode, moved};
use crate::{JobsError, JobsErrorKind};

/// Fields of an envelope that say where else its payload is.
const ELSEWHERE: [&str; 2] = ["payload_ref", "payload_zlib"];

/// Writes the letter again with this payload, unless somebody was faster.
pub(super) async fn edit(
    link: &Link,
    letter: &DeadLetter,
    payload: &RawValue,
) -> Result<(), JobsError> {
    let context = || format!("change the payload of the dead letter of {}", letter.id);
    let body = with_payload(&letter.body, payload).ok_or_else(|| {
        let context = format!(
            "{}: its body is no envelope; enqueue a new job instead",
            context()
        );
        JobsError::new(JobsErrorKind::InvalidPayload, context)
    })?;
    let mut fields = moved(letter.headers.as_ref());
    expect_newest(&mut fields, letter.sequence);
    let conn = link.lease(&context()).await?;
    let subject = link.names().dead(&letter.queue, &letter.id);
    match conn.publish_acked(subject, fields, body).await {
        Ok(_) => {
            // Nothing else refers to what was kept apart: a letter that was retried meanwhile is a conflict.
            if let Err(error) = release(link, &letter.body).await {
                tracing::warn!(id = %letter.id, %error, "the large payload of an edited dead letter is left behind");
            }
            Ok(())
        }
        Err(error) if wrong_sequence(&error).is_some() => Err(JobsError::new(
            JobsErrorKind::Conflict,
            format!(
                "{}: somebody else changed or retried it meanwhile; read it again",
                context()
            ),
        )),
        Err(error) => Err(JobsError::connection(context(), error)),
    }
}

/// The payload as its handler got it, also if it is compressed or kept in the object store.
pub(super) async fn payload(link: &Link, letter: &DeadLetter) -> Result<Box<RawValue>, JobsError> {
    let context = format!("read the payload of the dead letter of {}", letter.id);
    payload_in(link, &letter.body, context).await
}

/// The body with another payload; what else is in it stays as it is. `None` if it is no envelope.
fn with_payload(body: &[u8], payload: &RawValue) -> Option<Vec<u8>> {
    let mut fields: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(body).ok()?;
    fields.insert("payload".to_owned(), payload.to_owned());
    for field in ELSEWHERE {
        fields.remove(field);
    }
    let body = serde_json::to_vec(&fields).ok()?;
    decode(&body).is_ok().then_some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_payload_changes() {
        let payload = RawValue::from_string("{\"to\": 1.50}".to_owned()).unwrap();
        let body = br#"{"v":1,"kind":"a","payload":[1],"later":{"x": 1.0},"retry":{"retries":2}}"#;
        let changed = with_payload(body, &payload).unwrap();
        let text = String::from_utf8(changed).unwrap();
        assert_eq!(
            text,
            r#"{"kind":"a","later":{"x": 1.0},"payload":{"to": 1.50},"retry":{"retries":2},"v":1}"#
        );
        for no_envelope in ["", "[]", "{}", r#"{"v":1}"#, r#"{"v":9,"kind":"a"}"#] {
            assert!(with_payload(no_envelope.as_bytes(), &payload).is_none());
        }
    }
}
