//! A bucket is a stream with certain settings: which, for a given configuration.

use async_nats::jetstream::kv::Config;
use async_nats::jetstream::stream::{self, Compression, DiscardPolicy};

use crate::error::{ConnectionError, ConnectionErrorKind};

const MOST_HISTORY: i64 = 64;

/// # Errors
/// `InvalidName`; `InvalidSettings` for what can't be had.
pub(super) fn stream_of(bucket: &Config) -> Result<stream::Config, ConnectionError> {
    check_name(&bucket.bucket)?;
    let name = &bucket.bucket;
    let refused = |what: &str| {
        let context = format!("bucket `{name}`: {what}");
        ConnectionError::new(ConnectionErrorKind::InvalidSettings, context)
    };
    if bucket.history > MOST_HISTORY {
        return Err(refused(
            "the server keeps at most 64 revisions of a key (`history`)",
        ));
    }
    if bucket.mirror.is_some() || bucket.sources.is_some() {
        return Err(refused(
            "one that is fed by others can't be ensured; make it by `jetstream()`",
        ));
    }
    Ok(stream::Config {
        name: format!("KV_{name}"),
        description: Some(bucket.description.clone()).filter(|text| !text.is_empty()),
        subjects: vec![format!("$KV.{name}.>")],
        max_messages_per_subject: bucket.history.max(1),
        max_bytes: bucket.max_bytes,
        max_age: bucket.max_age,
        max_message_size: bucket.max_value_size,
        storage: bucket.storage,
        republish: bucket.republish.clone(),
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        num_replicas: bucket.num_replicas.max(1),
        discard: DiscardPolicy::New,
        mirror_direct: bucket.mirror_direct,
        compression: bucket.compression.then_some(Compression::S2),
        placement: bucket.placement.clone(),
        allow_message_ttl: bucket.limit_markers.is_some(),
        subject_delete_marker_ttl: bucket.limit_markers,
        ..stream::Config::default()
    })
}

/// # Errors
/// `InvalidName`.
pub(super) fn check_name(bucket: &str) -> Result<(), ConnectionError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !bucket.is_empty() && bucket.chars().all(plain) {
        return Ok(());
    }
    Err(ConnectionError::new(
        ConnectionErrorKind::InvalidName,
        format!("`{bucket}` can't be the name of a bucket: letters, digits, `-` and `_` only"),
    ))
}

/// # Errors
/// `InvalidName`.
pub(super) fn check_key(key: &str) -> Result<(), ConnectionError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '/' | '_' | '=' | '.');
    let tokens = key.split('.').all(|token| !token.is_empty());
    if tokens && key.chars().all(plain) {
        return Ok(());
    }
    Err(ConnectionError::new(
        ConnectionErrorKind::InvalidName,
        format!("`{key}` can't be a key: letters, digits, `-/_=`, and single dots between them"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_keys_that_the_server_would_not_take_are_refused() {
        for bucket in ["", "a.b", "a b", "a*", "a>"] {
            assert!(check_name(bucket).is_err(), "{bucket}");
        }
        for key in ["", ".a", "a.", "a..b", "a b", "a.*", ">"] {
            assert!(check_key(key).is_err(), "{key}");
        }
        check_name("worker_status-1").unwrap();
        check_key("jobs/a=b.c_d-1").unwrap();
    }

    #[test]
    fn what_a_bucket_cannot_have_is_refused_by_name() {
        let config = Config {
            bucket: "b".to_owned(),
            history: 65,
            ..Config::default()
        };
        let error = stream_of(&config).unwrap_err();
        assert_eq!(*error.kind(), ConnectionErrorKind::InvalidSettings);
        assert!(error.to_string().contains("64"), "{error}");
    }
}
