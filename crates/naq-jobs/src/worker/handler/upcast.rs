//! Payloads of older versions, made into the newest one step at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::wire::{FailureReason, JobFailure};

type Step = Arc<dyn Fn(&RawValue) -> Result<Box<RawValue>, JobFailure> + Send + Sync>;

/// The steps of one kind, by the version that they start from.
#[derive(Default, Clone)]
pub(super) struct Upcasts(BTreeMap<u32, Step>);

impl Upcasts {
    pub(super) fn add<Old, New>(
        &mut self,
        from: u32,
        step: impl Fn(Old) -> New + Send + Sync + 'static,
    ) where
        Old: DeserializeOwned,
        New: Serialize,
    {
        let step = move |payload: &RawValue| {
            let invalid = |e: serde_json::Error| {
                let text = format!("payload of version {from}: {e}");
                JobFailure::new(FailureReason::InvalidPayload, text)
            };
            let old = serde_json::from_str(payload.get()).map_err(invalid)?;
            serde_json::value::to_raw_value(&step(old)).map_err(invalid)
        };
        self.0.insert(from, Arc::new(step));
    }

    /// `payload` of version `from` as one of version `to`.
    pub(super) fn apply(
        &self,
        payload: &RawValue,
        from: u32,
        to: u32,
    ) -> Result<Box<RawValue>, JobFailure> {
        let mut payload = payload.to_owned();
        for version in from..to {
            let step = self.0.get(&version).ok_or_else(|| {
                let text = format!(
                    "the payload has version {from}, the handler takes {to}: the worker has no `upcast` from {version}"
                );
                JobFailure::new(FailureReason::InvalidPayload, text)
            })?;
            payload = step(&payload)?;
        }
        Ok(payload)
    }

    /// The first version without a step on the way to `to` from the oldest that has one.
    pub(super) fn gap(&self, to: u32) -> Option<u32> {
        let oldest = *self.0.keys().next()?;
        (oldest..to).find(|version| !self.0.contains_key(version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn steps_follow_each_other_and_a_gap_is_told() {
        let mut steps = Upcasts::default();
        steps.add(1, |name: String| json!({ "name": name }));
        steps.add(2, |mut old: serde_json::Value| {
            old["lang"] = json!("en");
            old
        });
        let payload = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let apply = |text: &str, from, to| steps.apply(&payload(text), from, to);
        let new = apply("\"Ada\"", 1, 3).unwrap();
        assert_eq!(new.get(), r#"{"lang":"en","name":"Ada"}"#);
        assert_eq!(
            apply("{\"name\":1}", 2, 3).unwrap().get(),
            r#"{"lang":"en","name":1}"#
        );
        assert!(
            apply("7", 1, 3)
                .unwrap_err()
                .message
                .contains("payload of version 1")
        );
        assert!(
            apply("7", 3, 4)
                .unwrap_err()
                .message
                .contains("no `upcast` from 3")
        );
        assert_eq!(steps.gap(3), None);
        assert_eq!(steps.gap(4), Some(3));
    }
}
