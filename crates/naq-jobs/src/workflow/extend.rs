//! Adds nodes to a workflow that runs: one more piece of its graph, and more letters in its state, all or none.

use bytes::Bytes;
use tokio::time::Instant;

use super::advance::advance;
use super::begin::{MOST, begin_writes, listen};
use super::draft::Workflow;
use super::graph::{Graph, Piece};
use super::ready::ready;
use super::resolve::{Base, Resolved, invalid, resolve};
use super::state::{NodeState, State};
use super::store::{self, MAX_PIECES, commit, cut, not_there, piece_writes, read_pieces};
use super::telling::{Begun, begun, tell_begun};
use super::traces::{begin_trace, end_trace};
use crate::model::JobId;
use crate::server::{Link, Write, persist};
use crate::{JobsError, JobsErrorKind};

/// Changes that may come in between before this is given up.
const MAX_CONFLICTS: usize = 50;

/// Adds `nodes`; says how many are new.
pub(super) async fn extend(
    link: &Link,
    id: &JobId,
    maker: Option<u32>,
    nodes: Workflow,
) -> Result<usize, JobsError> {
    if let Some(error) = nodes.error {
        return Err(error);
    }
    let (drafts, before) = (nodes.nodes, nodes.before);
    let deadline = Instant::now() + link.settings().nats.request_timeout * 3;
    let default_queue = &link.settings().queues.default;
    for _ in 0..MAX_CONFLICTS {
        let found = persist(
            link,
            "add nodes to a workflow",
            deadline,
            |conn| async move {
                let Some(found) = store::read(&conn, link, id).await? else {
                    return Ok(None);
                };
                let pieces = read_pieces(&conn, link, id, &found.state).await?;
                Ok(Some((found, pieces)))
            },
        );
        let (mut versioned, pieces) = found.await?.ok_or_else(|| not_there(id))?;
        let known = Graph::join(read(&pieces)?)?;
        let base = Base {
            graph: &known,
            maker,
        };
        let mut added = resolve(&drafts, &before, Some(base), default_queue)?;
        let count = added.nodes.len();
        if count == 0 && added.edges.is_empty() {
            return Ok(0);
        }
        check(id, &versioned.state, &known, &added)?;
        ready(link, &added.nodes).await?;
        let sending = begin_trace(&versioned.state.name, &mut added.nodes);
        let more = cut(versioned.state.mark, added.nodes, added.edges)?;
        if pieces.len() + more.len() > MAX_PIECES * 4 {
            let context = format!(
                "add nodes to the workflow {id}: that was done too often; add more at a time"
            );
            return Err(invalid(context));
        }
        let graph = Graph::join(read(pieces.iter().chain(&more))?)?;
        let (writes, begun) = grow(link, id, &mut versioned.state, &graph, more)?;
        if commit(link, id, &mut versioned, writes).await? {
            end_trace(&sending, id, count);
            tell_begun(link, &begun);
            return Ok(count);
        }
    }
    let context = format!("add nodes to the workflow {id}: others change it all the time");
    Err(JobsError::new(JobsErrorKind::Conflict, context))
}

/// Refuses what cannot be added at this moment.
fn check(id: &JobId, state: &State, known: &Graph, added: &Resolved) -> Result<(), JobsError> {
    if state.state.has_ended() || state.stop.is_some() {
        let now = state.state.as_str();
        return Err(invalid(format!(
            "add nodes to the workflow {id}: it is {now}"
        )));
    }
    for (_, to, _) in &added.edges {
        if state.of(*to) != Some(NodeState::Waiting) {
            let name = known.node(*to).map_or("?", |node| &node.name);
            let context = format!("let the node {name} of {id} wait: it has begun or ended");
            return Err(invalid(context));
        }
    }
    Ok(())
}

/// Takes the nodes of `graph` that are new into the state, and makes the turn that follows from it; says which jobs begin.
fn grow(
    link: &Link,
    id: &JobId,
    state: &mut State,
    graph: &Graph,
    more: Vec<Bytes>,
) -> Result<(Vec<Write>, Vec<Begun>), JobsError> {
    let first = state.pieces;
    state.pieces += u32::try_from(more.len()).unwrap_or(u32::MAX);
    state.nodes.0.resize(graph.len(), NodeState::Waiting);
    let turn = advance(graph, state, &[], MOST);
    let mut writes = piece_writes(link, id, first, more, None);
    writes.extend(begin_writes(link, id, graph, state, &turn.begin)?);
    if turn.has_more || state.state.has_ended() {
        writes.push(listen(link, id));
    }
    Ok((writes, begun(link, id, graph, state, &turn.begin)))
}

fn read<'a>(pieces: impl IntoIterator<Item = &'a Bytes>) -> Result<Vec<Piece>, JobsError> {
    let unreadable =
        |e| JobsError::new(JobsErrorKind::Corrupt, "read the graph of a workflow").because(e);
    let read = |body: &Bytes| serde_json::from_slice(body).map_err(unreadable);
    pieces.into_iter().map(read).collect()
}
