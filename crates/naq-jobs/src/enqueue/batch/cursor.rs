//! How far a bulk has come: one message, written in the same batch as the jobs that it counts.

use async_nats::HeaderMap;
use naq_connection::Connection;
use serde::{Deserialize, Serialize};

use crate::model::JobId;
use crate::server::{Link, Write, expect_newest, last_at_leader};
use crate::{JobsError, JobsErrorKind};

/// Longest name: an id is the name, a dash and a number.
const MAX_NAME: usize = 40;

/// What is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Wire {
    v: u32,
    /// Jobs of the list that are decided.
    next: u64,
    /// Another random number with each write, so that a writer knows its own.
    turn: u64,
}

/// The place of one bulk.
#[derive(Debug, Clone)]
pub(super) struct Cursor {
    name: String,
    pub(super) next: u64,
    turn: u64,
    /// Its sequence in the stream; 0: none is stored.
    sequence: u64,
}

impl Cursor {
    /// Reads where the bulk `name` is; at 0 if there is none.
    pub(super) async fn read(
        link: &Link,
        conn: &Connection,
        name: &str,
    ) -> Result<Self, JobsError> {
        if name.len() > MAX_NAME || JobId::new(name).is_err() {
            let text =
                format!("name a bulk {name:?}: a name is 1 to {MAX_NAME} of A-Z a-z 0-9 _ -");
            return Err(JobsError::new(JobsErrorKind::InvalidName, text));
        }
        let subject = link.names().bulk(name);
        let found = last_at_leader(conn, &link.names().jobs_stream(), &subject).await?;
        let Some(found) = found else {
            return Ok(Self {
                name: name.to_owned(),
                next: 0,
                turn: 0,
                sequence: 0,
            });
        };
        let wire: Wire = serde_json::from_slice(&found.payload).map_err(|e| {
            JobsError::new(JobsErrorKind::Corrupt, format!("read {subject}")).because(e)
        })?;
        Ok(Self {
            name: name.to_owned(),
            next: wire.next,
            turn: wire.turn,
            sequence: found.sequence,
        })
    }

    /// The same place with another `next` and a turn of its own, to be written.
    pub(super) fn moved_to(&self, next: u64) -> Self {
        Self {
            next,
            // 53 bits, so that every JSON reader sees the same number.
            turn: (fastrand::u64(..) >> 11).max(1),
            ..self.clone()
        }
    }

    /// The message; stored only if the one that was read is still there.
    pub(super) fn write(&self, link: &Link) -> Write {
        let wire = Wire {
            v: 1,
            next: self.next,
            turn: self.turn,
        };
        let mut headers = HeaderMap::new();
        expect_newest(&mut headers, self.sequence);
        headers.insert("Nats-Rollup", "sub");
        let life = link.settings().results.ttl.as_secs().max(1);
        headers.insert("Nats-TTL", format!("{life}s"));
        Write {
            subject: link.names().bulk(&self.name),
            headers,
            // Three numbers always have a JSON form.
            body: serde_json::to_vec(&wire).unwrap_or_default().into(),
        }
    }

    /// What is stored now, after `written` was sent and not (or not surely) stored.
    pub(super) async fn look(
        &self,
        link: &Link,
        conn: &Connection,
        written: &Self,
    ) -> Result<Seen, JobsError> {
        let now = Self::read(link, conn, &self.name).await?;
        Ok(if now.turn == written.turn && now.sequence > 0 {
            Seen::Ours(now)
        } else if now.sequence == self.sequence {
            Seen::Unchanged
        } else {
            Seen::Other
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// Whose the cursor is.
#[derive(Debug)]
pub(super) enum Seen {
    /// The one that was sent: all of its batch is stored.
    Ours(Cursor),
    /// Nothing was stored.
    Unchanged,
    /// Somebody else enqueues under the same name.
    Other,
}
