//! Many keys at once.

use futures::StreamExt;
use futures::stream;

use super::store::KvStore;
use super::value::KvValue;
use crate::error::ConnectionError;

/// Writes whose answers are waited for at the same time.
const IN_FLIGHT: usize = 256;

/// What became of each key.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PutReport {
    /// The keys that were stored, with their revisions, in the order of their answers.
    pub stored: Vec<(String, u64)>,
    /// The keys that were not, or perhaps not (see [`ConnectionError::outcome_unknown`]).
    pub failed: Vec<(String, ConnectionError)>,
}

impl KvStore {
    /// Puts many keys, up to 256 at the same time; one that fails does not stop the others.
    ///
    /// Each has the deadline of a [`put`](Self::put). A key that is there twice has one of its
    /// values afterwards. Dropped half-way, it has put some of them.
    pub async fn put_many<K, V>(&self, items: impl IntoIterator<Item = (K, V)>) -> PutReport
    where
        K: Into<String>,
        V: Into<KvValue>,
    {
        let puts = items.into_iter().map(|(key, value)| {
            let (key, value) = (key.into(), value.into());
            async move {
                let outcome = self.put(&key, value).await;
                (key, outcome)
            }
        });
        let mut outcomes = stream::iter(puts).buffer_unordered(IN_FLIGHT);
        let mut report = PutReport::default();
        while let Some((key, outcome)) = outcomes.next().await {
            match outcome {
                Ok(revision) => report.stored.push((key, revision)),
                Err(error) => report.failed.push((key, error)),
            }
        }
        report
    }
}
