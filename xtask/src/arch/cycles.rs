//! A graph of who uses whom, and the circles in it. Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;

/// One place that makes an edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Site {
    pub(crate) path: PathBuf,
    pub(crate) line: usize,
}

/// One step of a circle: `from` uses `to`, seen at `site`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) site: Site,
}

/// Who uses whom, with the first place seen for each pair.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    edges: BTreeMap<String, BTreeMap<String, Site>>,
}

impl Graph {
    /// Adds an edge; a module that uses itself is no edge.
    pub(crate) fn add(&mut self, from: &str, to: &str, site: Site) {
        if from != to {
            let uses = self.edges.entry(from.to_owned()).or_default();
            uses.entry(to.to_owned()).or_insert(site);
        }
    }

    /// The shortest circle through the first node of each knot: one finding for each knot, since
    /// opening it shows whether another is left.
    pub(crate) fn cycles(&self) -> Vec<Vec<Step>> {
        let mut told: BTreeSet<&str> = BTreeSet::new();
        let mut cycles = Vec::new();
        for start in self.edges.keys() {
            if told.contains(start.as_str()) {
                continue;
            }
            if let Some(cycle) = self.shortest_path(start, start) {
                let knot = self
                    .edges
                    .keys()
                    .filter(|node| self.in_one_knot(start, node));
                told.extend(knot.map(String::as_str));
                cycles.push(cycle);
            }
        }
        cycles
    }

    fn in_one_knot(&self, one: &str, other: &str) -> bool {
        self.shortest_path(one, other).is_some() && self.shortest_path(other, one).is_some()
    }

    /// Breadth first, at least one step long.
    fn shortest_path(&self, start: &str, end: &str) -> Option<Vec<Step>> {
        let mut came_by: BTreeMap<&str, Step> = BTreeMap::new();
        let mut waiting = VecDeque::from([start]);
        while let Some(node) = waiting.pop_front() {
            for (to, site) in self.edges.get(node).into_iter().flatten() {
                if came_by.contains_key(to.as_str()) {
                    continue;
                }
                let step = Step {
                    from: node.to_owned(),
                    to: to.clone(),
                    site: site.clone(),
                };
                came_by.insert(to, step);
                if to == end {
                    return Some(walk_back(&came_by, start, end));
                }
                waiting.push_back(to);
            }
        }
        None
    }
}

fn walk_back(came_by: &BTreeMap<&str, Step>, start: &str, end: &str) -> Vec<Step> {
    let mut path = Vec::new();
    let mut node = end.to_owned();
    while let Some(step) = came_by.get(node.as_str()) {
        node.clone_from(&step.from);
        path.push(step.clone());
        if node == start {
            break;
        }
    }
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cycles(edges: &[(&str, &str)]) -> Vec<String> {
        let mut graph = Graph::default();
        for (from, to) in edges {
            graph.add(
                from,
                to,
                Site {
                    path: PathBuf::from("lib.rs"),
                    line: 1,
                },
            );
        }
        let tell = |cycle: Vec<Step>| {
            let names: Vec<String> = cycle.into_iter().map(|step| step.from).collect();
            names.join(">")
        };
        graph.cycles().into_iter().map(tell).collect()
    }

    #[test]
    fn a_diamond_is_no_cycle() {
        let found = cycles(&[("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("a", "a")]);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn a_cycle_is_told_once() {
        assert_eq!(cycles(&[("a", "b"), ("b", "c"), ("c", "b")]), ["b>c"]);
        assert_eq!(cycles(&[("a", "b"), ("b", "c"), ("c", "a")]), ["a>b>c"]);
    }

    #[test]
    fn two_separate_knots_are_two_cycles() {
        let found = cycles(&[("a", "b"), ("b", "a"), ("b", "c"), ("c", "d"), ("d", "c")]);
        assert_eq!(found, ["a>b", "c>d"]);
    }
}
