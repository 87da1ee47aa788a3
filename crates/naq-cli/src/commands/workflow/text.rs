//! A workflow as a text: each node below the last of its parents.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::SystemTime;

use jiff::Timestamp;
use naq::{NodeState, NodeStatus, On, WorkflowState, WorkflowStatus};

use crate::context::Context;
use crate::error::CliError;
use crate::output::{Output, Style, latency};

/// Children of one node that are shown one by one; members of a group beyond that are counted.
const MOST: usize = 12;

pub(super) fn show(context: &Context, status: &WorkflowStatus) -> Result<(), CliError> {
    let out = &context.output;
    out.line(headline(out, status))?;
    let time = |what: &str, time: Option<SystemTime>| {
        let moment = time.and_then(moment);
        moment.map_or_else(String::new, |moment| format!("  {what} {moment}"))
    };
    let submitted = time("submitted", Some(status.created_at));
    let times = [
        submitted,
        time("over", status.ended_at),
        time("deadline", status.deadline),
    ];
    out.line(out.styled(Style::Faint, &times.concat()))?;
    if let Some(reason) = &status.stopped_because {
        out.line(format!("  stopped: {reason}"))?;
    }
    let tree = Tree::new(status);
    let mut lines = Vec::new();
    for root in &tree.roots {
        tree.draw(out, root, "", "", &mut lines);
    }
    for line in lines {
        out.line(line)?;
    }
    let (path, took) = status.critical_path();
    if path.len() > 1 {
        let names: Vec<&str> = path.iter().map(|node| node.name.as_str()).collect();
        out.line(format!(
            "longest path, {}: {}",
            latency(took),
            shortened(&names)
        ))?;
    }
    Ok(())
}

/// Where the whole is, in one line.
pub(super) fn headline(out: &Output, status: &WorkflowStatus) -> String {
    let ended = status
        .nodes
        .iter()
        .filter(|node| node.state.has_ended())
        .count();
    let state = out.styled(style_of(status.state), status.state.as_str());
    let all = status.nodes.len();
    format!("{}: {state}, {ended} of {all} nodes have ended", status.id)
}

/// The names of a path; of a long one the beginning and the end.
fn shortened(names: &[&str]) -> String {
    match names {
        [first, second, .., last] if names.len() > MOST => {
            format!("{first} > {second} > {} more > {last}", names.len() - 3)
        }
        _ => names.join(" > "),
    }
}

/// Each node below the last of its parents in the order of the graph.
struct Tree<'a> {
    status: &'a WorkflowStatus,
    children: Vec<Vec<Item>>,
    roots: Vec<Item>,
}

/// A line of the tree.
enum Item {
    Node(usize),
    /// Members of a group that are only counted: its name, how many, how many in each state.
    Many(String, usize, BTreeMap<&'static str, usize>),
}

impl<'a> Tree<'a> {
    fn new(status: &'a WorkflowStatus) -> Self {
        let order = status.in_order();
        let mut at = vec![0; order.len()];
        for (position, index) in order.iter().enumerate() {
            at[*index] = position;
        }
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); order.len()];
        let mut roots = Vec::new();
        for index in order {
            let parents = status.nodes[index].needs.iter().map(|(from, _)| *from);
            match parents.max_by_key(|from| at[*from]) {
                Some(parent) => children[parent].push(index),
                None => roots.push(index),
            }
        }
        let has_below: Vec<bool> = children.iter().map(|below| !below.is_empty()).collect();
        let fold = |below: Vec<usize>| fold(status, below, &has_below);
        Self {
            status,
            roots: fold(roots),
            children: children.into_iter().map(fold).collect(),
        }
    }

    /// Draws an item and what is below it. The depth is that of the longest chain, so this is no recursion.
    fn draw(&self, out: &Output, root: &Item, first: &str, rest: &str, lines: &mut Vec<String>) {
        let mut open = vec![(root, first.to_owned(), rest.to_owned())];
        while let Some((item, first, rest)) = open.pop() {
            let index = match item {
                Item::Many(name, count, states) => {
                    let counts: Vec<String> = states
                        .iter()
                        .map(|(state, of)| format!("{of} {state}"))
                        .collect();
                    lines.push(format!(
                        "{first}{name}.*  {count} more: {}",
                        counts.join(", ")
                    ));
                    continue;
                }
                Item::Node(index) => *index,
            };
            lines.push(format!("{first}{}", self.node(out, index)));
            let below = &self.children[index];
            // A single child goes on in the same column: a chain is no staircase.
            for (number, child) in below.iter().enumerate().rev() {
                let is_last = number + 1 == below.len();
                open.push(match (below.len(), is_last) {
                    (1, _) => (child, format!("{rest}└ "), rest.clone()),
                    (_, true) => (child, format!("{rest}└─"), format!("{rest}  ")),
                    (_, false) => (child, format!("{rest}├─"), format!("{rest}│ ")),
                });
            }
        }
    }

    fn node(&self, out: &Output, index: usize) -> String {
        let node = &self.status.nodes[index];
        let (mark, style) = mark(node.state);
        let mut text = format!(
            "{} {}  {}",
            out.styled(style, mark),
            node.name,
            node.state.as_str()
        );
        if let Some(outcome) = &node.outcome {
            let _ = write!(text, ", {}", latency(outcome.duration()));
            if let Some(failure) = &outcome.error {
                let _ = write!(text, ": {}", first_line(&failure.message));
            }
        }
        let needs = self.needs(node);
        if !needs.is_empty() {
            let _ = write!(text, "  {}", out.styled(Style::Faint, &needs));
        }
        text
    }

    /// What it waits for, where the tree does not say it already.
    fn needs(&self, node: &NodeStatus) -> String {
        let is_plain = node.needs.len() < 2 && node.needs.iter().all(|(_, on)| *on == On::Success);
        if is_plain {
            return String::new();
        }
        let word = |on: On| match on {
            On::Success => "",
            On::Failure => "failure of ",
            On::Always => "end of ",
        };
        let named =
            |(from, on): &(usize, On)| format!("{}{}", word(*on), self.status.nodes[*from].name);
        let shown: Vec<String> = node.needs.iter().take(6).map(named).collect();
        let more = node.needs.len() - shown.len();
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        format!("after {}{more}", shown.join(", "))
    }
}

/// Counts members of large groups instead of showing each; one that has something below it is shown.
fn fold(status: &WorkflowStatus, below: Vec<usize>, has_below: &[bool]) -> Vec<Item> {
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    let mut folded: BTreeMap<String, (usize, BTreeMap<&'static str, usize>)> = BTreeMap::new();
    let mut items = Vec::new();
    for index in below {
        let node = &status.nodes[index];
        let group = node.name.rsplit_once('.').map(|(group, _)| group);
        let count = group.map_or(0, |group| {
            let count = shown.entry(group).or_default();
            *count += 1;
            *count
        });
        match group {
            Some(group) if count > MOST && !has_below[index] => {
                let (all, states) = folded.entry(group.to_owned()).or_default();
                *all += 1;
                *states.entry(node.state.as_str()).or_default() += 1;
            }
            _ => items.push(Item::Node(index)),
        }
    }
    items.extend(
        folded
            .into_iter()
            .map(|(name, (count, states))| Item::Many(name, count, states)),
    );
    items
}

pub(super) fn mark(state: NodeState) -> (&'static str, Style) {
    match state {
        NodeState::Waiting => ("○", Style::Faint),
        NodeState::Signalled => ("◐", Style::Faint),
        NodeState::Running => ("▶", Style::Notable),
        NodeState::Completed => ("✓", Style::Good),
        NodeState::Failed => ("✗", Style::Bad),
        NodeState::Skipped => ("−", Style::Faint),
        NodeState::Cancelled => ("■", Style::Notable),
    }
}

fn style_of(state: WorkflowState) -> Style {
    match state {
        WorkflowState::Completed => Style::Good,
        WorkflowState::Failed => Style::Bad,
        WorkflowState::Running => Style::Bold,
        WorkflowState::Stopping | WorkflowState::Cancelled => Style::Notable,
    }
}

pub(super) fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or("")
}

/// A point in time, RFC 3339.
pub(super) fn moment(time: SystemTime) -> Option<String> {
    Timestamp::try_from(time)
        .ok()
        .map(|time| format!("{time:.0}"))
}
