//! A subject on its way into the client.

use std::cell::Cell;

use async_nats::Subject;
use async_nats::subject::ToSubject;

/// Is given away at the first question; the client asks once. A [`Subject`] itself answers with a
/// copy, and of one that was made from a text the copy is an allocation.
pub(super) struct Given(Cell<Subject>);

impl Given {
    pub(super) fn new(subject: Subject) -> Self {
        Self(Cell::new(subject))
    }
}

impl ToSubject for Given {
    /// Empty, which the client refuses, when it is asked again.
    fn to_subject(&self) -> Subject {
        self.0.replace(Subject::from_static(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_there_once() {
        let given = Given::new("orders.new".into());
        assert_eq!(given.to_subject().as_str(), "orders.new");
        assert!(given.to_subject().is_empty());
    }
}
