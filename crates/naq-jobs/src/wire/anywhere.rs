//! Names for those who look for a job wherever it is.

use super::names::Names;
use crate::model::JobId;

impl Names {
    /// All that is stored of a job, whatever its queue and place: its id is the last part of each subject.
    pub(crate) fn anywhere(&self, id: &JobId) -> Vec<String> {
        vec![
            format!("{}.*.*.{id}", self.prefix),
            format!("{}.parked.*.*.{id}", self.prefix),
            format!("{}.unique.*.*.*.{id}", self.prefix),
        ]
    }

    /// What a subject has behind the prefix.
    pub(crate) fn below<'a>(&self, subject: &'a str) -> Option<&'a str> {
        subject.strip_prefix(&self.prefix)?.strip_prefix('.')
    }

    /// `pattern` under the prefix.
    pub(crate) fn filter(&self, pattern: &str) -> String {
        format!("{}.{pattern}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_looked_for_by_the_last_part_of_its_subjects() {
        let names = Names::new("t1");
        let id = JobId::new("a-1").unwrap();
        let filters = ["t1.*.*.a-1", "t1.parked.*.*.a-1", "t1.unique.*.*.*.a-1"];
        assert_eq!(names.anywhere(&id), filters);
        assert_eq!(names.below("t1.queue.mail.a-1"), Some("queue.mail.a-1"));
        assert_eq!(names.below("t10.queue.mail.a-1"), None);
    }
}
