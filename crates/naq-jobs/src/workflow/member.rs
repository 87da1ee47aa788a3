//! What a handler sees of the workflow that its job belongs to: results of other nodes, and a way to add nodes.

use std::sync::Arc;

use futures::StreamExt;
use futures::TryStreamExt;
use futures::stream;
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

use super::draft::Workflow;
use super::extend::extend;
use super::graph::{Graph, Work, place};
use super::state::State;
use super::status::own_id;
use super::store::{self, not_there, read_graph};
use crate::model::JobId;
use crate::payload::fetch_result;
use crate::results::{Results, parse};
use crate::server::{Link, last_at_leader};
use crate::wire::{FlowNode, Outcome};
use crate::{JobsError, JobsErrorKind};

/// Results that are read at the same time.
const READS: usize = 32;

/// The workflow that a job belongs to, as its handler sees it. A cheap handle.
#[derive(Debug, Clone)]
pub struct Membership(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    link: Link,
    id: JobId,
    node: u32,
    /// Read when it is first asked for: parents do not change while their child runs.
    seen: OnceCell<(Graph, State)>,
}

impl Membership {
    pub(crate) fn new(link: &Link, flow: &FlowNode) -> Option<Self> {
        Some(Self(Arc::new(Inner {
            link: link.clone(),
            id: JobId::new(flow.id.as_str()).ok()?,
            node: flow.node,
            seen: OnceCell::new(),
        })))
    }

    /// The workflow's id.
    pub fn id(&self) -> &JobId {
        &self.0.id
    }

    /// The name of this node.
    ///
    /// # Errors
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn node(&self) -> Result<&str, JobsError> {
        let (graph, _) = self.seen().await?;
        Ok(graph.node(self.0.node).map_or("", |node| &node.name))
    }

    /// The result of a node that has completed: a parent, or whatever has ended by then; of a signal, what it brought.
    ///
    /// # Errors
    /// [`JobsErrorKind::NotFound`] if there is no such node, it has not ended, or its outcome has expired;
    /// [`JobsErrorKind::JobFailed`] if it has failed; [`JobsErrorKind::InvalidPayload`] if its result is no `T`;
    /// [`JobsErrorKind::Connection`] (a retry helps).
    pub async fn result<T: DeserializeOwned>(&self, node: &str) -> Result<T, JobsError> {
        self.outcome(node).await?.into_result()
    }

    /// The outcome of a node: how it ended, its result or its failure.
    ///
    /// # Errors
    /// As [`Self::result`], but that a failure is none.
    pub async fn outcome(&self, node: &str) -> Result<Outcome, JobsError> {
        let (graph, _) = self.seen().await?;
        let index = graph
            .find(node)
            .ok_or_else(|| self.missing(node, "there is none"))?;
        self.outcome_of(index).await
    }

    /// The results of all members of a group, in their order.
    ///
    /// # Errors
    /// As [`Self::result`]; the first error of a member.
    pub async fn results<T: DeserializeOwned>(&self, group: &str) -> Result<Vec<T>, JobsError> {
        let (graph, _) = self.seen().await?;
        let gate = graph.find(group).and_then(|index| graph.node(index));
        let gate = gate.filter(|node| matches!(node.work, Work::Gate));
        let gate = gate.ok_or_else(|| self.missing(group, "there is no such group"))?;
        let is_job = |index: &u32| {
            !matches!(
                graph.node(*index).map(|node| &node.work),
                Some(Work::Gate) | None
            )
        };
        let members: Vec<u32> = gate
            .needs
            .iter()
            .map(|(from, _)| *from)
            .filter(is_job)
            .collect();
        stream::iter(members)
            .map(|index| async move { self.outcome_of(index).await?.into_result() })
            .buffered(READS)
            .try_collect()
            .await
    }

    /// Adds nodes to the workflow while it runs. Those that name no parent wait for this node; with
    /// [`Workflow::before`] nodes that have not begun wait for them. Names that are there already add nothing, so a second
    /// attempt may add the same. Says how many are new.
    ///
    /// # Errors
    /// [`JobsErrorKind::InvalidWorkflow`] for an impossible graph, or if the workflow is over or stopped;
    /// [`JobsErrorKind::Connection`] and [`JobsErrorKind::OutcomeUnknown`] (a retry helps).
    pub async fn add(&self, nodes: Workflow) -> Result<usize, JobsError> {
        extend(&self.0.link, &self.0.id, Some(self.0.node), nodes).await
    }

    async fn outcome_of(&self, index: u32) -> Result<Outcome, JobsError> {
        let (graph, state) = self.seen().await?;
        let name = graph
            .nodes()
            .get(place(index))
            .map_or("?", |node| &node.name);
        let own = graph
            .node(index)
            .and_then(|node| own_id(&self.0.id, state, index, &node.work));
        let own = own.ok_or_else(|| self.missing(name, "a gate has none"))?;
        let mut found = Results::new(self.0.link.clone()).find(&own).await?;
        if found.is_none() {
            // A copy of the stream may lag behind.
            let (conn, names) = (
                self.0.link.lease("read a result").await?,
                self.0.link.names(),
            );
            let stored =
                last_at_leader(&conn, &names.results_stream(), &names.result(&own)).await?;
            found = match stored {
                Some(stored) => {
                    let outcome = parse(&stored.subject, &stored.payload)?;
                    Some(fetch_result(&self.0.link, outcome).await?)
                }
                None => None,
            };
        }
        found.ok_or_else(|| {
            let why = "it has not ended, keeps no result, or its outcome has expired (`Workflow::keep_results`)";
            self.missing(name, why)
        })
    }

    async fn seen(&self) -> Result<&(Graph, State), JobsError> {
        let read = || async {
            let Inner { link, id, .. } = &*self.0;
            let conn = link.lease("read a workflow").await?;
            let found = store::read(&conn, link, id)
                .await?
                .ok_or_else(|| not_there(id))?;
            let graph = read_graph(&conn, link, id, &found.state).await?;
            Ok((graph, found.state))
        };
        self.0.seen.get_or_try_init(read).await
    }

    fn missing(&self, node: &str, why: &str) -> JobsError {
        let context = format!(
            "read the result of the node {node} in the workflow {}: {why}",
            self.0.id
        );
        JobsError::new(JobsErrorKind::NotFound, context)
    }
}
