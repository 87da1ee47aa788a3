//! What a worker does with notices: read the state, advance, write, finish, acknowledge.
//!
//! All notices of a workflow that have arrived make one turn, and the turns of several workflows one batch, since a batch
//! costs the server a file, whatever its size. If one of them was changed meanwhile, each is written by itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream;
use naq_connection::Connection;

use super::advance::advance;
use super::begin::{MOST, begin_writes};
use super::cache::Graphs;
use super::graph::Graph;
use super::hear::{forget_outside, hear};
use super::notice::{News, Notice};
use super::outcome::record_outcome;
use super::stop::has_jobs;
use super::store::{self, Versioned, commit, piece_writes, read_pieces, state_write};
use super::telling::{Begun, begun, tell_begun, tell_workflow};
use super::unrun::record_unrun;
use crate::events::EventType;
use crate::model::JobId;
use crate::server::{BatchEnd, Link, MAX_BATCH, Write, store_batch};
use crate::{JobsError, JobsErrorKind, failpoint};

/// Turns that are worth a batch: fewer are faster by themselves.
const TOGETHER: usize = 8;

/// Workflows that are looked at at the same time.
const READS: usize = 16;

/// Changes of others that may come in between before a turn is left to be delivered again.
const MAX_CONFLICTS: usize = 50;

/// Advances workflows, for one worker.
#[derive(Debug)]
pub(crate) struct Advancer {
    link: Link,
    graphs: Graphs,
}

/// A turn that is decided and not written.
struct Plan {
    id: JobId,
    notices: Vec<Notice>,
    versioned: Versioned,
    graph: Arc<Graph>,
    /// Empty if nothing has changed.
    writes: Option<Vec<Write>>,
    is_changed: bool,
    /// Jobs that begin.
    begun: Vec<Begun>,
    /// Another turn is to be made: more nodes could begin, or jobs are to be cancelled.
    has_more: bool,
}

impl Advancer {
    pub(crate) fn new(link: Link) -> Self {
        Self {
            link,
            graphs: Graphs::default(),
        }
    }

    /// Handles notices. What could not be handled is delivered again.
    pub(crate) async fn settle(&self, conn: &Connection, notices: Vec<Notice>) {
        failpoint::reach("flow-end-taken");
        let mut groups: BTreeMap<JobId, Vec<Notice>> = BTreeMap::new();
        for notice in notices {
            groups.entry(notice.flow.clone()).or_default().push(notice);
        }
        let planned: Vec<_> = stream::iter(groups)
            .map(|(id, notices)| self.planned(conn, id, notices))
            .buffer_unordered(READS)
            .filter_map(std::future::ready)
            .collect()
            .await;
        let (mut part, mut size) = (Vec::new(), 0);
        for plan in planned {
            let needs = plan.writes.as_ref().map_or(0, |writes| writes.len() + 1);
            if size + needs > MAX_BATCH {
                self.write(conn, std::mem::take(&mut part)).await;
                size = 0;
            }
            size += needs;
            part.push(plan);
        }
        self.write(conn, part).await;
    }

    /// Decides on a turn; what is stale is acknowledged here.
    async fn planned(&self, conn: &Connection, id: JobId, notices: Vec<Notice>) -> Option<Plan> {
        match self.plan(conn, &id, notices.clone()).await {
            Ok(Some(plan)) => Some(plan),
            Ok(None) => {
                acknowledge(conn, &notices).await;
                None
            }
            Err(error) if error.kind() == JobsErrorKind::Corrupt => {
                // It cannot get better; the state stays, and shows itself when it is listed.
                tracing::error!(workflow = %id, %error, "notices of a workflow are dropped");
                acknowledge(conn, &notices).await;
                None
            }
            Err(error) => {
                tracing::warn!(workflow = %id, %error, "a turn will be made again");
                None
            }
        }
    }

    async fn plan(
        &self,
        conn: &Connection,
        id: &JobId,
        notices: Vec<Notice>,
    ) -> Result<Option<Plan>, JobsError> {
        let Some(mut versioned) = store::read(conn, &self.link, id).await? else {
            return Ok(None);
        };
        let graph = self.graph(conn, id, &versioned).await?;
        let news: Vec<&News> = notices.iter().map(|notice| &notice.news).collect();
        let ends = hear(conn, &self.link, id, &graph, &versioned.state, &news).await?;
        let turn = advance(&graph, &mut versioned.state, &ends, MOST);
        let begun = begun(&self.link, id, &graph, &versioned.state, &turn.begin);
        let is_stopped = news
            .iter()
            .any(|news| matches!(news, News::Deadline | News::Stop));
        let has_more = turn.has_more || (is_stopped && has_jobs(&graph, &versioned.state));
        let mut writes = None;
        if turn.is_changed {
            let state = &versioned.state;
            let mut all = begin_writes(&self.link, id, &graph, state, &turn.begin)?;
            if state.state.has_ended() {
                // What is over is kept for a time only, the graph like the state.
                let pieces = read_pieces(conn, &self.link, id, state).await?;
                all.extend(piece_writes(&self.link, id, 0, pieces, Some(state.keep_s)));
            }
            writes = Some(all);
        }
        Ok(Some(Plan {
            id: id.clone(),
            notices,
            versioned,
            graph,
            writes,
            is_changed: turn.is_changed,
            begun,
            has_more,
        }))
    }

    async fn graph(
        &self,
        conn: &Connection,
        id: &JobId,
        versioned: &Versioned,
    ) -> Result<Arc<Graph>, JobsError> {
        if let Some(graph) = self.graphs.get(id, &versioned.state) {
            return Ok(graph);
        }
        let graph = Arc::new(store::read_graph(conn, &self.link, id, &versioned.state).await?);
        self.graphs.put(id, &versioned.state, &graph);
        Ok(graph)
    }

    /// Writes some turns together, or each by itself, and what comes after.
    async fn write(&self, conn: &Connection, mut plans: Vec<Plan>) {
        let is_together = plans.iter().filter(|plan| plan.writes.is_some()).count() >= TOGETHER;
        let is_stored = is_together && self.is_stored_together(conn, &mut plans).await;
        for mut plan in plans {
            let id = plan.id.clone();
            let done = if is_stored && !plan.has_more {
                self.tell_stored(&plan);
                self.finish(conn, &mut plan).await
            } else {
                self.write_one(conn, plan, is_stored).await
            };
            if let Err(error) = done {
                tracing::warn!(workflow = %id, %error, "a turn will be made again");
            }
        }
    }

    async fn is_stored_together(&self, conn: &Connection, plans: &mut [Plan]) -> bool {
        let mut all = Vec::new();
        for plan in plans {
            let Some(writes) = &plan.writes else {
                continue;
            };
            all.extend(writes.iter().cloned());
            match state_write(&self.link, &plan.id, &mut plan.versioned) {
                Ok(write) => all.push(write),
                Err(_) => return false,
            }
        }
        let stored = store_batch(conn, "write workflows", all).await;
        matches!(stored, Ok(BatchEnd::Stored))
    }

    /// Writes a turn, again after each change of somebody else, and further turns while there is more to begin.
    async fn write_one(
        &self,
        conn: &Connection,
        plan: Plan,
        is_stored: bool,
    ) -> Result<(), JobsError> {
        let (id, notices) = (plan.id.clone(), plan.notices.clone());
        let (mut next, mut is_stored, mut conflicts) = (Some(plan), is_stored, 0);
        while conflicts < MAX_CONFLICTS {
            let plan = match next.take() {
                Some(plan) => Some(plan),
                None => self.plan(conn, &id, notices.clone()).await?,
            };
            let Some(mut plan) = plan else {
                acknowledge(conn, &notices).await;
                return Ok(());
            };
            if let (Some(writes), false) = (plan.writes.take(), is_stored)
                && !commit(&self.link, &id, &mut plan.versioned, writes).await?
            {
                conflicts += 1;
                continue;
            }
            is_stored = false;
            self.tell_stored(&plan);
            if plan.versioned.state.stop.is_some() && plan.has_more {
                failpoint::reach("flow-stopping");
            }
            if !plan.has_more {
                return self.finish(conn, &mut plan).await;
            }
        }
        let context = format!("advance the workflow {id}: others change it all the time");
        Err(JobsError::new(JobsErrorKind::Conflict, context))
    }

    /// Tells of a turn that is stored.
    fn tell_stored(&self, plan: &Plan) {
        if !plan.is_changed {
            return;
        }
        let (id, state) = (&plan.id, &plan.versioned.state);
        tell_workflow(&self.link, EventType::WorkflowAdvanced, id, state);
        tell_begun(&self.link, &plan.begun);
    }

    /// What comes after a turn: the outcome of a workflow that is over, and the acknowledgements.
    async fn finish(&self, conn: &Connection, plan: &mut Plan) -> Result<(), JobsError> {
        let (id, state) = (&plan.id, &plan.versioned.state);
        failpoint::reach("flow-turn-stored");
        record_unrun(&self.link, id, &plan.graph, state).await?;
        if state.state.has_ended() {
            record_outcome(&self.link, id, &plan.graph, state).await?;
            failpoint::reach("flow-outcome-recorded");
            self.graphs.drop_one(id);
            tracing::info!(workflow = %id, state = state.state.as_str(), "workflow ended");
        }
        forget_outside(conn, &self.link, id, &plan.graph, state, &plan.notices).await;
        acknowledge(conn, &plan.notices).await;
        Ok(())
    }
}

/// Lost acknowledgements do no harm: the notice comes again and changes nothing.
async fn acknowledge(conn: &Connection, notices: &[Notice]) {
    for notice in notices {
        if let Err(error) = conn.publish(notice.reply.clone(), "+ACK").await {
            tracing::debug!(workflow = %notice.flow, %error, "could not acknowledge a notice");
        }
    }
}
