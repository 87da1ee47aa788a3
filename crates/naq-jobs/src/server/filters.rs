//! Filters of subjects, as the server compares them.

/// Whether there is a subject that both filters match; one of them may be a subject.
pub(super) fn overlap(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        match (one.next(), other.next()) {
            (None, None) => return true,
            (Some(">"), Some(_)) | (Some(_), Some(">")) => return true,
            (Some(a), Some(b)) if a == b || a == "*" || b == "*" => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_matches_as_the_server_does() {
        for (filter, subject, does) in [
            ("n.queue.mail.*", "n.queue.mail.a", true),
            ("n.queue.mail.*", "n.queue.mails.a", false),
            ("n.queue.mail.*", "n.queue.mail.a.b", false),
            ("n.queue.mail.*", "n.queue.mail", false),
            ("n.unique.q.normal.*.*", "n.unique.q.normal.k.a", true),
            ("n.>", "n.queue.mail.a", true),
        ] {
            assert_eq!(overlap(filter, subject), does, "{filter} {subject}");
        }
    }

    #[test]
    fn two_filters_overlap_if_a_subject_is_under_both() {
        assert!(overlap("a.*.c", "a.b.>"));
        assert!(!overlap("a.*", "a.b.c"));
        assert!(!overlap("a.b", "a.c"));
    }
}
