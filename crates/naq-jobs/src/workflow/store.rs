//! Reading and writing a workflow: its state under compare-and-set, the pieces of its graph.

use async_nats::HeaderMap;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use naq_connection::Connection;
use tokio::time::Instant;

use super::graph::{Graph, Node, On, Piece};
use super::state::{State, VERSION};
use crate::model::JobId;
use crate::server::{
    BatchEnd, Link, Write, expect_newest, last_at_leader, now_ms, persist, store_batch,
};
use crate::{JobsError, JobsErrorKind};

/// Bytes of nodes in one piece; more only if one node alone has more.
const PIECE: usize = 256 * 1024;

/// Jobs of a turn that are stored by themselves.
const FEW: usize = 64;

const CONTEXT: &str = "write a workflow";

/// Pieces that a graph may have: all of them are in one batch, with the first jobs.
pub(super) const MAX_PIECES: usize = 64;

/// A state as it is stored.
#[derive(Debug, Clone)]
pub(super) struct Versioned {
    pub(super) state: State,
    pub(super) sequence: u64,
}

/// The state of `id`, from the stream's leader.
pub(super) async fn read(
    conn: &Connection,
    link: &Link,
    id: &JobId,
) -> Result<Option<Versioned>, JobsError> {
    let (stream, subject) = (link.names().jobs_stream(), link.names().flow_state(id));
    let Some(stored) = last_at_leader(conn, &stream, &subject).await? else {
        return Ok(None);
    };
    Ok(Some(Versioned {
        state: decode(id, &stored.payload)?,
        sequence: stored.sequence,
    }))
}

pub(super) fn not_there(id: &JobId) -> JobsError {
    JobsError::new(JobsErrorKind::NotFound, format!("find the workflow {id}"))
}

/// Reads the body of a state.
pub(super) fn decode(id: &JobId, body: &[u8]) -> Result<State, JobsError> {
    let unreadable = || JobsError::new(JobsErrorKind::Corrupt, format!("read the workflow {id}"));
    let state: State = serde_json::from_slice(body).map_err(|e| unreadable().because(e))?;
    if state.v == VERSION {
        return Ok(state);
    }
    let text = format!("its version is {}, this program reads {VERSION}", state.v);
    Err(unreadable().because(text))
}

/// The pieces of the graph, as they are stored.
pub(super) async fn read_pieces(
    conn: &Connection,
    link: &Link,
    id: &JobId,
    state: &State,
) -> Result<Vec<Bytes>, JobsError> {
    let stream = link.names().jobs_stream();
    let mut pieces = Vec::new();
    for piece in 0..state.pieces {
        let subject = link.names().flow_spec(id, piece);
        let found = last_at_leader(conn, &stream, &subject).await?;
        let found = found.ok_or_else(|| {
            let context = format!("read the workflow {id}: a piece of its graph is gone");
            JobsError::new(JobsErrorKind::Corrupt, context)
        })?;
        pieces.push(found.payload);
    }
    Ok(pieces)
}

/// The graph of `id`.
pub(super) async fn read_graph(
    conn: &Connection,
    link: &Link,
    id: &JobId,
    state: &State,
) -> Result<Graph, JobsError> {
    let unreadable = || JobsError::new(JobsErrorKind::Corrupt, format!("read the graph of {id}"));
    let mut pieces = Vec::new();
    for body in read_pieces(conn, link, id, state).await? {
        let piece: Piece = serde_json::from_slice(&body).map_err(|e| unreadable().because(e))?;
        if piece.mark != state.mark {
            return Err(unreadable().because("it is that of another workflow of this id"));
        }
        pieces.push(piece);
    }
    Graph::join(pieces)
}

/// Cuts nodes into pieces that fit into messages.
pub(super) fn cut(
    mark: u64,
    nodes: Vec<Node>,
    edges: Vec<(u32, u32, On)>,
) -> Result<Vec<Bytes>, JobsError> {
    let impossible = |e| JobsError::new(JobsErrorKind::InvalidWorkflow, "write a graph").because(e);
    let write = |nodes, edges| {
        let piece = Piece {
            v: VERSION,
            mark,
            nodes,
            edges,
        };
        serde_json::to_vec(&piece)
            .map(Bytes::from)
            .map_err(impossible)
    };
    let (mut pieces, mut part, mut size) = (Vec::new(), Vec::new(), 0);
    for node in nodes {
        let needs = serde_json::to_vec(&node).map_err(impossible)?.len();
        if size + needs > PIECE && !part.is_empty() {
            pieces.push(write(std::mem::take(&mut part), Vec::new())?);
            size = 0;
        }
        size += needs;
        part.push(node);
    }
    pieces.push(write(part, edges)?);
    Ok(pieces)
}

/// The messages of the pieces from number `first` on; kept for ever, or so many seconds.
pub(super) fn piece_writes(
    link: &Link,
    id: &JobId,
    first: u32,
    pieces: Vec<Bytes>,
    keep_s: Option<u64>,
) -> Vec<Write> {
    let write = |(number, body)| {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-TTL", ttl(keep_s));
        headers.insert("Nats-Rollup", "sub");
        Write {
            subject: link.names().flow_spec(id, number),
            headers,
            body,
        }
    };
    (first..).zip(pieces).map(write).collect()
}

fn ttl(keep_s: Option<u64>) -> String {
    keep_s.map_or_else(|| "never".to_owned(), |s| format!("{}s", s.max(1)))
}

/// Writes a state with what it leads to; `false` if somebody else's change came first.
///
/// A batch costs a server with file storage a file, so a few jobs are stored by themselves, before the state. Should the
/// state then not be stored, the next turn stores them again, under the same message ids; should they end before it is,
/// their ends are kept. A new workflow is one batch.
pub(super) async fn commit(
    link: &Link,
    id: &JobId,
    versioned: &mut Versioned,
    writes: Vec<Write>,
) -> Result<bool, JobsError> {
    let deadline = Instant::now() + link.settings().nats.request_timeout * 3;
    let is_job = |write: &Write| write.headers.get("Nats-Msg-Id").is_some();
    let (jobs, mut rest): (Vec<Write>, Vec<Write>) = writes.into_iter().partition(is_job);
    rest.push(state_write(link, id, versioned)?);
    let is_new = versioned.sequence == 0;
    let is_few = !is_new && jobs.len() <= FEW;
    let (jobs, rest, turn) = (&jobs, &rest, versioned.state.turn);
    persist(link, CONTEXT, deadline, |conn| async move {
        if is_few {
            store_each(&conn, jobs).await?;
            return store(&conn, link, id, rest.clone(), turn).await;
        }
        let all = jobs.iter().chain(rest).cloned().collect();
        match store_batch(&conn, CONTEXT, all).await? {
            BatchEnd::Stored => Ok(true),
            BatchEnd::Conflict => is_ours(&conn, link, id, turn).await,
            // The server knows one of the jobs: another worker makes the same turn, or did not get further.
            BatchEnd::Duplicate => {
                store_each(&conn, jobs).await?;
                store(&conn, link, id, rest.clone(), turn).await
            }
        }
    })
    .await
}

/// The message of a state, with a new turn.
pub(super) fn state_write(
    link: &Link,
    id: &JobId,
    versioned: &mut Versioned,
) -> Result<Write, JobsError> {
    let state = &mut versioned.state;
    state.turn = fastrand::u64(..) >> 11;
    let has_ended = state.state.has_ended();
    if has_ended && state.ended_ms.is_none() {
        state.ended_ms = Some(now_ms());
    }
    let body = serde_json::to_vec(state).map_err(|e| {
        JobsError::new(JobsErrorKind::Corrupt, format!("write the workflow {id}")).because(e)
    })?;
    let mut headers = HeaderMap::new();
    headers.insert("Nats-TTL", ttl(has_ended.then_some(state.keep_s)));
    headers.insert("Nats-Rollup", "sub");
    expect_newest(&mut headers, versioned.sequence);
    Ok(Write {
        subject: link.names().flow_state(id),
        headers,
        body: body.into(),
    })
}

/// Stores each job by itself; those that the server knows already are left out by it.
async fn store_each(conn: &Connection, jobs: &[Write]) -> Result<(), JobsError> {
    stream::iter(jobs.iter().cloned())
        .map(|job| store_batch(conn, CONTEXT, vec![job]))
        .buffer_unordered(FEW)
        .try_for_each(|_| std::future::ready(Ok(())))
        .await
}

/// Stores the state, and what comes with it.
async fn store(
    conn: &Connection,
    link: &Link,
    id: &JobId,
    rest: Vec<Write>,
    turn: u64,
) -> Result<bool, JobsError> {
    match store_batch(conn, CONTEXT, rest).await? {
        BatchEnd::Stored => Ok(true),
        // The answer to an earlier try may have been lost.
        _ => is_ours(conn, link, id, turn).await,
    }
}

/// Whether the state is the one with this turn.
async fn is_ours(conn: &Connection, link: &Link, id: &JobId, turn: u64) -> Result<bool, JobsError> {
    let found = read(conn, link, id).await?;
    Ok(found.is_some_and(|found| found.state.turn == turn))
}
