//! Texts that are one token of a NATS subject.

/// Whether `text` is 1 to `longest` of `A-Z a-z 0-9 _ -`.
pub(super) fn is_token(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}
