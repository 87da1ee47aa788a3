//! Names of what belongs to workflows.

use std::fmt::Display;

use super::Names;
use crate::model::JobId;

impl Names {
    /// A piece of the graph of a workflow.
    pub(crate) fn flow_spec(&self, id: &JobId, piece: u32) -> String {
        self.filter(&format!("flow.spec.{id}.{piece}"))
    }

    /// What is known of a workflow.
    pub(crate) fn flow_state(&self, id: &JobId) -> String {
        self.filter(&format!("flow.state.{id}"))
    }

    /// All workflows.
    pub(crate) fn all_flows(&self) -> String {
        self.filter("flow.state.*")
    }

    /// Where it is said that `what` of a workflow has ended: the number of a node, or a word.
    pub(crate) fn flow_end(&self, id: &JobId, what: impl Display) -> String {
        self.filter(&format!("flow.done.{id}.{what}"))
    }

    /// All that is said of ends.
    pub(crate) fn flow_ends_filter(&self) -> String {
        self.filter("flow.done.*.*")
    }

    /// Where a limit of time sleeps, until the server sends it to [`Self::flow_end`].
    pub(crate) fn flow_arm(&self, id: &JobId, what: impl Display) -> String {
        self.filter(&format!("flow.arm.{id}.{what}"))
    }

    /// The workflow of a subject of [`Self::flow_state`].
    pub(crate) fn parse_flow(subject: &str) -> Option<JobId> {
        JobId::new(subject.rsplit('.').next()?).ok()
    }

    /// The workflow of a subject of [`Self::flow_end`], and what has ended.
    pub(crate) fn parse_flow_end(subject: &str) -> Option<(JobId, &str)> {
        let mut parts = subject.rsplitn(3, '.');
        let what = parts.next()?;
        Some((JobId::new(parts.next()?).ok()?, what))
    }

    /// The durable consumer of all ends, shared by all workers.
    pub(crate) const FLOWS_CONSUMER: &'static str = "naq-flows";

    /// The durable consumer with which a workflow waits for a job outside.
    pub(crate) fn flow_ear(id: &JobId, node: u32) -> String {
        format!("naq-flow-{id}-{node}")
    }

    /// Where all workers hear of the ends of such jobs; not stored.
    pub(crate) fn flow_ears(&self) -> String {
        self.filter("flow.ear")
    }

    /// The workflow and the node of an ear, from the address of its acknowledgement.
    pub(crate) fn parse_ear(reply: &str) -> Option<(&str, u32)> {
        let mut names = reply
            .split('.')
            .filter_map(|part| part.strip_prefix("naq-flow-"));
        let (id, node) = names.next()?.rsplit_once('-')?;
        Some((id, node.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ear_says_for_whom_it_hears() {
        let ear = Names::flow_ear(&JobId::new("etl-1").unwrap(), 7);
        let reply = format!("$JS.ACK.naq_results.{ear}.1.5.1.1763.0");
        assert_eq!(Names::parse_ear(&reply), Some(("etl-1", 7)));
        assert_eq!(
            Names::parse_ear("$JS.ACK.naq_results.other.1.5.1.1763.0"),
            None
        );
    }
}
