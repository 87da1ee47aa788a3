//! A workflow before it is submitted: its nodes and what they wait for.

use std::time::Duration;

use super::graph::{On, Task};
use super::task::task;
use crate::model::{Job, JobId};
use crate::{JobsError, JobsErrorKind};

/// Longest name of a workflow, in bytes: its id begins with it.
const MAX_NAME: usize = 24;

/// Longest name of a node, in bytes.
const MAX_NODE: usize = 128;

/// Outcomes of nodes are kept so long, unless it is said otherwise.
const KEEP: Duration = Duration::from_secs(30 * 24 * 3600);

/// A workflow: jobs that wait for one another. A plain value; [`crate::Jobs::submit`] begins it.
///
/// `after` and what else describes a node belongs to the node (group, chain, sub-workflow) that was added last. Names may be used
/// before they are added.
///
/// ```
/// use naq_jobs::{Kind, Workflow};
///
/// const EXTRACT: Kind<String, u64> = Kind::new("extract");
/// const LOAD: Kind<(), u64> = Kind::new("load");
/// const ALERT: Kind<String, ()> = Kind::new("alert");
///
/// # fn main() -> Result<(), naq_jobs::JobsError> {
/// let etl = Workflow::new("etl")
///     .node("orders", EXTRACT.job(&"orders".to_owned())?)
///     .node("customers", EXTRACT.job(&"customers".to_owned())?)
///     .node("load", LOAD.job(&())?)
///     .after(["orders", "customers"])
///     .node("alert", ALERT.job(&"etl".to_owned())?)
///     .after_failure(["load"]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a workflow does nothing before it is submitted"]
pub struct Workflow {
    pub(super) name: String,
    pub(super) id: Option<JobId>,
    pub(super) deadline: Option<Duration>,
    pub(super) keep: Duration,
    pub(super) nodes: Vec<Draft>,
    /// Edges of [`Self::before`]: the node and the name of its child.
    pub(super) before: Vec<(usize, String)>,
    /// The first mistake.
    pub(super) error: Option<JobsError>,
    /// The nodes that were added last and wait for what is said next, and the one that stands for them.
    pub(super) last: (Vec<usize>, usize),
}

/// A node before its parents are known by number.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) work: Doing,
    pub(super) needs: Vec<(String, On)>,
    pub(super) may_fail: bool,
    pub(super) own_end: bool,
}

/// What a draft does.
#[derive(Debug)]
pub(super) enum Doing {
    /// A job; without a queue (an empty text) that of the settings.
    Job(Box<Task>),
    Wait {
        limit: Option<Duration>,
    },
    Gate,
    Existing(JobId),
}

impl Workflow {
    /// An empty workflow. Its id will be `<name>-<ULID>`, unless [`Self::id`] says otherwise; 1 to 24 of
    /// `A-Z a-z 0-9 _ -`.
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        let mut new = Self {
            id: None,
            deadline: None,
            keep: KEEP,
            nodes: Vec::new(),
            before: Vec::new(),
            error: None,
            last: (Vec::new(), 0),
            name,
        };
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if !(1..=MAX_NAME).contains(&new.name.len()) || !new.name.bytes().all(is_token) {
            let context = format!(
                "name a workflow {:?}: it is 1 to {MAX_NAME} of A-Z a-z 0-9 _ -",
                new.name
            );
            new.fail(JobsError::new(JobsErrorKind::InvalidName, context));
        }
        new
    }

    /// Gives it an id of the caller's, at most 51 characters: a second submission of the same id is refused, so
    /// submitting can be repeated.
    pub fn id(mut self, id: JobId) -> Self {
        self.id = Some(id);
        self
    }

    /// It has to be over after so much time: then what has not begun never will, and it has failed.
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.deadline = Some(limit);
        self
    }

    /// Time that outcomes of its nodes are kept, unless a job says otherwise, and that the workflow is shown after its end; default
    /// 30 days. It must be longer than the workflow takes, if results of parents are read.
    pub fn keep_results(mut self, time: Duration) -> Self {
        self.keep = time;
        self
    }

    /// Adds a job.
    pub fn node<R>(mut self, name: impl Into<String>, job: Job<R>) -> Self {
        let name = name.into();
        match task(&name, job) {
            Ok(task) => self.add(name, Doing::Job(Box::new(task))),
            Err(error) => {
                self.fail(error);
                self
            }
        }
    }

    /// Adds a node that waits until somebody sends a signal of its name; see
    /// [`crate::Workflows::signal`]. What the signal brings is its result.
    pub fn wait(self, name: impl Into<String>) -> Self {
        self.add(name.into(), Doing::Wait { limit: None })
    }

    /// As [`Self::wait`], at most so long once its parents have ended: then it has failed.
    pub fn wait_at_most(self, name: impl Into<String>, limit: Duration) -> Self {
        self.add(name.into(), Doing::Wait { limit: Some(limit) })
    }

    /// Adds a node that stands for its parents: it has failed if one of them has, else it has completed.
    pub fn gate(self, name: impl Into<String>) -> Self {
        self.add(name.into(), Doing::Gate)
    }

    /// Adds a job that is no part of the workflow, as something to wait for. It may have ended long ago, as long as its
    /// outcome is kept.
    pub fn existing(self, name: impl Into<String>, id: JobId) -> Self {
        self.add(name.into(), Doing::Existing(id))
    }

    /// It runs once all of these have completed.
    pub fn after(self, parents: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.after_on(On::Success, parents)
    }

    /// It runs once all of these have failed or were cancelled: an alert, a fallback, a compensation.
    pub fn after_failure(self, parents: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.after_on(On::Failure, parents)
    }

    /// It runs once all of these have ended, however: a clean-up.
    pub fn after_end(self, parents: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.after_on(On::Always, parents)
    }

    /// As [`Self::after`], with the kind of the edges.
    pub fn after_on(
        mut self,
        on: On,
        parents: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let parents: Vec<String> = parents.into_iter().map(Into::into).collect();
        for index in self.last.0.clone() {
            let needs = parents.iter().map(|parent| (parent.clone(), on));
            self.nodes[index].needs.extend(needs);
        }
        self
    }

    /// These wait for its success, besides what else they wait for. In a workflow that runs already they must not have begun.
    pub fn before(mut self, children: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let from = self.last.1;
        self.before
            .extend(children.into_iter().map(|child| (from, child.into())));
        self
    }

    /// Its failure does not fail the workflow, nor the group that it is in.
    pub fn may_fail(mut self) -> Self {
        for index in &self.last.0 {
            self.nodes[*index].may_fail = true;
        }
        self
    }

    /// Its job has an outcome also if it never runs, for whoever waits for that alone.
    pub(super) fn own_end(mut self) -> Self {
        for index in &self.last.0 {
            self.nodes[*index].own_end = true;
        }
        self
    }

    fn add(mut self, name: String, work: Doing) -> Self {
        let is_plain = |c: char| !c.is_control() && !c.is_whitespace();
        if !(1..=MAX_NODE).contains(&name.len()) || !name.chars().all(is_plain) {
            let context = format!("name a node {name:?}: 1 to {MAX_NODE} bytes without spaces");
            self.fail(JobsError::new(JobsErrorKind::InvalidName, context));
        }
        self.last = (vec![self.nodes.len()], self.nodes.len());
        self.nodes.push(Draft {
            name,
            work,
            needs: Vec::new(),
            may_fail: false,
            own_end: false,
        });
        self
    }

    /// Keeps the first mistake, for when it is submitted.
    pub(super) fn fail(&mut self, error: JobsError) {
        self.error.get_or_insert(error);
    }
}
