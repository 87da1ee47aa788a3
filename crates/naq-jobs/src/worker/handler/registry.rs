//! Which handler runs which kind. Only what is registered runs: no code ever travels in a payload.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::state::{Need, States};
use super::upcast::Upcasts;
use super::{Chain, JobError};
use crate::wire::{Envelope, JobFailure};
use crate::worker::JobContext;

/// The registered handlers, by kind.
#[derive(Default, Clone)]
pub(in crate::worker) struct Registry {
    entries: HashMap<String, Entry>,
    /// Old names, and what they are called now.
    aliases: HashMap<String, &'static str>,
}

#[derive(Clone)]
struct Entry {
    handler: Arc<dyn Handle>,
    /// The version of the payload that the handler takes.
    version: u32,
    upcasts: Upcasts,
}

/// The future that does the work of one attempt.
pub(in crate::worker) type Work = BoxFuture<'static, Result<Box<RawValue>, JobError>>;

/// A handler without its types.
pub(in crate::worker) trait Handle: Send + Sync {
    /// Decodes the payload, then makes the future that does the work.
    fn call(&self, context: JobContext, payload: &RawValue) -> Result<Work, JobFailure>;

    /// The states that it needs.
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    /// Time that it takes to end by itself once its context is cancelled, before its future is dropped.
    fn grace(&self) -> Duration {
        Duration::ZERO
    }
}

/// Why a job has no handler here.
#[derive(Debug)]
pub(in crate::worker) enum Refusal {
    /// Nobody knows the kind.
    Unknown,
    /// The payload is newer than the handler.
    Newer {
        /// The version that the handler takes.
        known: u32,
    },
    /// The payload could not be made into the version of the handler.
    Payload(JobFailure),
}

impl Registry {
    /// Registers a handler for payloads of this version. Steps that were added before stay.
    pub(in crate::worker) fn insert(&mut self, kind: &str, version: u32, handler: Arc<dyn Handle>) {
        let upcasts = self.entries.remove(kind).map(|before| before.upcasts);
        let entry = Entry {
            handler,
            version,
            upcasts: upcasts.unwrap_or_default(),
        };
        self.entries.insert(kind.to_owned(), entry);
    }

    /// Adds a step from an older version; `false` if the kind has no handler yet.
    pub(in crate::worker) fn upcast<Old, New>(
        &mut self,
        kind: &str,
        from: u32,
        step: impl Fn(Old) -> New + Send + Sync + 'static,
    ) -> bool
    where
        Old: DeserializeOwned,
        New: Serialize,
    {
        let entry = self.entries.get_mut(kind);
        entry.map(|entry| entry.upcasts.add(from, step)).is_some()
    }

    pub(in crate::worker) fn alias(&mut self, old: &str, kind: &'static str) {
        self.aliases.insert(old.to_owned(), kind);
    }

    /// Puts the layers around every handler.
    pub(in crate::worker) fn wrap(&mut self, chain: &Chain) {
        for entry in self.entries.values_mut() {
            entry.handler = Arc::new(chain.around(Arc::clone(&entry.handler)));
        }
    }

    fn entry(&self, kind: &str) -> Option<&Entry> {
        self.entries
            .get(kind)
            .or_else(|| self.entries.get(*self.aliases.get(kind)?))
    }

    /// The handler of a job, and the payload as that takes it.
    pub(in crate::worker) fn prepare<'a>(
        &self,
        envelope: &Envelope<'a>,
    ) -> Result<(Arc<dyn Handle>, Cow<'a, RawValue>), Refusal> {
        let entry = self.entry(envelope.kind.as_str()).ok_or(Refusal::Unknown)?;
        let payload = match envelope.payload_version {
            same if same == entry.version => Cow::Borrowed(envelope.payload),
            newer if newer > entry.version => {
                return Err(Refusal::Newer {
                    known: entry.version,
                });
            }
            older => {
                let made = entry.upcasts.apply(envelope.payload, older, entry.version);
                Cow::Owned(made.map_err(Refusal::Payload)?)
            }
        };
        Ok((Arc::clone(&entry.handler), payload))
    }

    /// Whether there is a handler for the kind, of whatever version.
    pub(in crate::worker) fn knows(&self, kind: &str) -> bool {
        self.entry(kind).is_some()
    }

    pub(in crate::worker) fn kinds(&self) -> Vec<String> {
        let aliases = self.aliases.keys();
        let mut kinds: Vec<_> = self.entries.keys().chain(aliases).cloned().collect();
        kinds.sort();
        kinds
    }

    /// What is wrong with it, in a sentence that names the kind.
    pub(in crate::worker) fn problem(&self, states: &States) -> Option<String> {
        for (kind, entry) in &self.entries {
            if let Some(name) = states.missing(&entry.handler.needs()) {
                return Some(format!(
                    "run jobs of {kind}: its handler asks for the state {name}; give it with `worker.state(..)`"
                ));
            }
            if let Some(version) = entry.upcasts.gap(entry.version) {
                return Some(format!(
                    "run jobs of {kind}: there is no `upcast` from version {version} on the way to {}",
                    entry.version
                ));
            }
        }
        let unknown = |(_, kind): &(&String, &&str)| !self.entries.contains_key(**kind);
        let (old, kind) = self.aliases.iter().find(unknown)?;
        Some(format!(
            "run jobs of {old} as {kind}: {kind} has no handler"
        ))
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.entries.keys()).finish()
    }
}
