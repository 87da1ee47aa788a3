//! From a draft to a graph: names become numbers, and what cannot be is refused by name.

use std::collections::{HashMap, HashSet};

use super::draft::{Doing, Draft};
use super::graph::{Graph, Node, On, Work, place};
use crate::model::JobId;
use crate::wire::millis;
use crate::{JobsError, JobsErrorKind};

/// Nodes that a workflow may have: more letters would make each write of its state slow.
const MAX_NODES: usize = 50_000;

/// Nodes with numbers, and edges from them to nodes that were there before.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) nodes: Vec<Node>,
    pub(super) edges: Vec<(u32, u32, On)>,
}

/// What a draft is added to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Base<'a> {
    pub(super) graph: &'a Graph,
    /// Parent of nodes that name none.
    pub(super) maker: Option<u32>,
}

/// Gives numbers to names. Nodes whose names are there before are left out.
pub(super) fn resolve(
    drafts: &[Draft],
    before: &[(usize, String)],
    base: Option<Base<'_>>,
    default_queue: &str,
) -> Result<Resolved, JobsError> {
    let numbers = Numbers::new(drafts, base)?;
    let is_new = |draft: &&Draft| numbers.is_new(&draft.name);
    let excused: HashSet<&str> = drafts
        .iter()
        .filter(|draft| draft.may_fail)
        .map(|draft| draft.name.as_str())
        .collect();
    let mut nodes = Vec::with_capacity(drafts.len());
    for draft in drafts.iter().filter(is_new) {
        let mut needs = Vec::with_capacity(draft.needs.len());
        for (parent, on) in &draft.needs {
            let is_excused = matches!(draft.work, Doing::Gate) && excused.contains(parent.as_str());
            let on = if is_excused { On::Always } else { *on };
            needs.push((numbers.find(parent, &draft.name)?, on));
        }
        if let (Some(maker), true) = (base.and_then(|base| base.maker), needs.is_empty()) {
            needs.push((maker, On::Success));
        }
        nodes.push(Node {
            needs,
            work: work(&draft.work, default_queue),
            name: draft.name.clone(),
            may_fail: draft.may_fail,
            own_end: draft.own_end,
        });
    }
    let mut edges = Vec::new();
    for (from, to) in before {
        let Some(from) = drafts.get(*from).filter(is_new) else {
            continue;
        };
        let (from, to) = (
            numbers.find(&from.name, &from.name)?,
            numbers.find(to, &from.name)?,
        );
        match place(to).checked_sub(numbers.known) {
            Some(own) => nodes[own].needs.push((from, On::Success)),
            None => edges.push((from, to, On::Success)),
        }
    }
    Ok(Resolved { nodes, edges })
}

/// The number of each name.
struct Numbers<'a> {
    all: HashMap<&'a str, u32>,
    /// Nodes that were there before: their numbers are lower.
    known: usize,
}

impl<'a> Numbers<'a> {
    fn new(drafts: &'a [Draft], base: Option<Base<'a>>) -> Result<Self, JobsError> {
        let known = base.map_or(&[][..], |base| base.graph.nodes());
        let names = known.iter().map(|node| node.name.as_str());
        let mut all: HashMap<&str, u32> = names.zip(0..).collect();
        let there = all.clone();
        let is_new = |draft: &&Draft| !there.contains_key(draft.name.as_str());
        for draft in drafts.iter().filter(is_new) {
            let number = u32::try_from(all.len()).unwrap_or(u32::MAX);
            if all.insert(&draft.name, number).is_some() {
                return Err(invalid(format!("name two nodes {}", draft.name)));
            }
        }
        if all.len() > MAX_NODES {
            let count = all.len();
            return Err(invalid(format!(
                "have {count} nodes: {MAX_NODES} are the most"
            )));
        }
        Ok(Self {
            all,
            known: known.len(),
        })
    }

    fn is_new(&self, name: &str) -> bool {
        let number = self.all.get(name).copied();
        number.is_some_and(|number| place(number) >= self.known)
    }

    fn find(&self, name: &str, of: &str) -> Result<u32, JobsError> {
        self.all.get(name).copied().ok_or_else(|| {
            invalid(format!(
                "find the node {name}, which {of} names: add it, or correct the name"
            ))
        })
    }
}

fn work(doing: &Doing, default_queue: &str) -> Work {
    match doing {
        Doing::Job(task) => {
            let mut task = task.clone();
            if task.queue.is_empty() {
                default_queue.clone_into(&mut task.queue);
            }
            Work::Job(task)
        }
        Doing::Wait { limit } => Work::Wait {
            limit_ms: limit.map(millis),
        },
        Doing::Gate => Work::Gate,
        Doing::Existing(id) => Work::Existing { id: id.to_string() },
    }
}

pub(super) fn invalid(what: String) -> JobsError {
    JobsError::new(JobsErrorKind::InvalidWorkflow, what)
}

/// There is no node of this name.
pub(super) fn no_node(id: &JobId, node: &str) -> JobsError {
    JobsError::new(
        JobsErrorKind::NotFound,
        format!("find the node {node} in the workflow {id}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Job, Workflow};

    fn job() -> Job {
        Job::from_payload("k", &1).unwrap()
    }

    fn names(of: &[(u32, On)], all: &Resolved) -> Vec<String> {
        let name = |(from, on): &(u32, On)| format!("{} {on:?}", all.nodes[*from as usize].name);
        of.iter().map(name).collect()
    }

    fn resolved(workflow: Workflow) -> Result<Resolved, JobsError> {
        resolve(&workflow.nodes, &workflow.before, None, "q")
    }

    #[test]
    fn groups_chains_and_sub_workflows_become_nodes_and_edges() {
        let inner = Workflow::new("in")
            .chain([("a", job()), ("b", job())])
            .node("undo", job())
            .after_failure(["b"]);
        let all = resolved(
            Workflow::new("w")
                .node("first", job())
                .group("many", [job(), job()])
                .after(["first"])
                .sub("sub", inner)
                .after(["many"])
                .node("last", job())
                .after_end(["sub"]),
        )
        .unwrap();
        let needs = |name: &str| {
            let node = all.nodes.iter().find(|node| node.name == name).unwrap();
            names(&node.needs, &all)
        };
        assert_eq!(needs("many.1"), ["first Success"]);
        assert_eq!(needs("many"), ["many.0 Success", "many.1 Success"]);
        assert_eq!(needs("sub/a"), ["many Success"]);
        assert_eq!(needs("sub/b"), ["sub/a Success"]);
        assert_eq!(needs("sub/undo"), ["sub/b Failure"]);
        assert_eq!(needs("sub").len(), 3);
        assert_eq!(needs("last"), ["sub Always"]);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let text = |workflow| resolved(workflow).unwrap_err().to_string();
        let unknown = Workflow::new("w").node("a", job()).after(["b"]);
        assert!(text(unknown).contains("find the node b, which a names"));
        let twice = Workflow::new("w").node("a", job()).node("a", job());
        assert!(text(twice).contains("name two nodes a"));
    }
}
