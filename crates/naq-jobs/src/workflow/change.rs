//! Changes a workflow from outside, under compare-and-set, and makes the turn that follows from it.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::advance::{End, advance};
use super::begin::{MOST, STOP, arm, begin_writes, listen};
use super::graph::Graph;
use super::outcome::record_outcome;
use super::state::State;
use super::store::{self, commit, not_there, piece_writes, read_graph, read_pieces};
use super::telling::{begun, tell_begun};
use super::unrun::record_unrun;
use crate::model::JobId;
use crate::server::{Link, persist};
use crate::{JobsError, JobsErrorKind};

/// Changes that may come in between before a change is given up.
const MAX_CONFLICTS: usize = 50;

/// What a change wants.
pub(super) enum Wish {
    /// Write the state and what follows from it.
    Advance,
    /// As [`Self::Advance`], of a workflow that is stopped by this: its jobs are to be cancelled, by somebody.
    Stop,
    /// As [`Self::Advance`], of a workflow that was over: its graph is kept for ever again.
    BeginAgain,
    /// Leave everything as it is.
    Nothing,
}

/// Time that the caller has to cancel the jobs of a stopped workflow before workers do it.
const HEAD_START: Duration = Duration::from_secs(2);

/// Changes the state and applies `ends`, again after each change of somebody else; `false` if nothing was to be changed.
pub(super) async fn change(
    link: &Link,
    id: &JobId,
    ends: &[End],
    change: impl Fn(&Graph, &mut State) -> Result<Wish, JobsError>,
) -> Result<bool, JobsError> {
    let context = "change a workflow";
    let deadline = Instant::now() + link.settings().nats.request_timeout * 3;
    for _ in 0..MAX_CONFLICTS {
        let found = persist(link, context, deadline, |conn| async move {
            let Some(found) = store::read(&conn, link, id).await? else {
                return Ok(None);
            };
            let graph = read_graph(&conn, link, id, &found.state).await?;
            let pieces = read_pieces(&conn, link, id, &found.state).await?;
            Ok(Some((found, graph, pieces)))
        });
        let (mut versioned, graph, pieces) = found.await?.ok_or_else(|| not_there(id))?;
        let wish = change(&graph, &mut versioned.state)?;
        if matches!(wish, Wish::Nothing) {
            return Ok(false);
        }
        let state = &mut versioned.state;
        let turn = advance(&graph, state, ends, MOST);
        let mut writes = begin_writes(link, id, &graph, state, &turn.begin)?;
        let begun = begun(link, id, &graph, state, &turn.begin);
        let has_ended = state.state.has_ended();
        if has_ended || matches!(wish, Wish::BeginAgain) {
            let keep = has_ended.then_some(state.keep_s);
            writes.splice(0..0, piece_writes(link, id, 0, pieces, keep));
        }
        if matches!(wish, Wish::Stop) && !has_ended {
            let due = SystemTime::now() + HEAD_START;
            writes.push(arm(link, id, STOP, due, "{}".to_owned())?);
        }
        if turn.has_more || has_ended {
            // A worker goes on, or writes the outcome should this process die before it does.
            writes.push(listen(link, id));
        }
        if commit(link, id, &mut versioned, writes).await? {
            tell_begun(link, &begun);
            record_unrun(link, id, &graph, &versioned.state).await?;
            if has_ended {
                record_outcome(link, id, &graph, &versioned.state).await?;
            }
            return Ok(true);
        }
    }
    let context = format!("change the workflow {id}: others change it all the time");
    Err(JobsError::new(JobsErrorKind::Conflict, context))
}
