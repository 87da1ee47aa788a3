//! Names of what running jobs say.

use super::Names;
use crate::model::JobId;

impl Names {
    /// What running jobs say.
    pub(crate) fn notes_stream(&self) -> String {
        format!("{}_notes", self.prefix)
    }

    /// Subjects of [`Self::notes_stream`].
    pub(crate) fn all_notes(&self) -> String {
        format!("{}.note.*.*", self.prefix)
    }

    /// All notes of a job.
    pub(crate) fn notes_of(&self, id: &JobId) -> String {
        format!("{}.note.{id}.*", self.prefix)
    }

    /// One kind of notes of a job.
    pub(crate) fn note(&self, id: &JobId, kind: &str) -> String {
        format!("{}.note.{id}.{kind}", self.prefix)
    }
}
