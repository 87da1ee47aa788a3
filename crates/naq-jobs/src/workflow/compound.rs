//! Several nodes as one: groups, chains, workflows in workflows.

use super::draft::Workflow;
use super::graph::On;
use crate::model::Job;

impl Workflow {
    /// Adds jobs that run side by side: `<name>.0`, `<name>.1`..., and a gate `<name>` that stands for all of them.
    pub fn group<R>(
        mut self,
        name: impl Into<String>,
        jobs: impl IntoIterator<Item = Job<R>>,
    ) -> Self {
        let name = name.into();
        let mut members = Vec::new();
        for (number, job) in jobs.into_iter().enumerate() {
            members.push(self.nodes.len());
            self = self.node(format!("{name}.{number}"), job);
        }
        self.close(name, members, &[])
    }

    /// Adds jobs that run one after the other, each after the success of the one before.
    pub fn chain<R>(mut self, jobs: impl IntoIterator<Item = (impl Into<String>, Job<R>)>) -> Self {
        let mut before: Option<String> = None;
        let mut first = None;
        for (name, job) in jobs {
            let name = name.into();
            self = self.node(name.clone(), job);
            if let Some(before) = before.replace(name) {
                self = self.after([before]);
            }
            first.get_or_insert_with(|| self.last.0.clone());
        }
        self.last.0 = first.unwrap_or_default();
        self
    }

    /// Adds a whole workflow: its nodes are called `<name>/<node>`, and a gate `<name>` stands for all of them.
    pub fn sub(mut self, name: impl Into<String>, workflow: Self) -> Self {
        let name = name.into();
        if let Some(error) = workflow.error {
            self.fail(error);
        }
        let first = self.nodes.len();
        let mut roots = Vec::new();
        for mut draft in workflow.nodes {
            if draft.needs.is_empty() {
                roots.push(self.nodes.len());
            }
            draft.name = format!("{name}/{}", draft.name);
            for (from, _) in &mut draft.needs {
                *from = format!("{name}/{from}");
            }
            self.nodes.push(draft);
        }
        let before = workflow.before.into_iter();
        self.before
            .extend(before.map(|(from, to)| (first + from, format!("{name}/{to}"))));
        let members: Vec<usize> = (first..self.nodes.len()).collect();
        self.close(name, roots, &members)
    }

    /// Adds the gate of `members` (or of `entries`), before which `entries` are what comes first.
    fn close(self, name: String, entries: Vec<usize>, members: &[usize]) -> Self {
        let members = if members.is_empty() {
            &entries[..]
        } else {
            members
        };
        let needs: Vec<_> = members
            .iter()
            .map(|of| (self.nodes[*of].name.clone(), On::Success))
            .collect();
        let mut closed = self.gate(name);
        closed.nodes[closed.last.1].needs = needs;
        closed.last.0 = entries;
        closed
    }
}
