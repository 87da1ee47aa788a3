//! What errors have in common: the text with everything replaced that differs from one to the next.
//!
//! | in the text | becomes |
//! |---|---|
//! | `"..."`, `'...'`, `` `...` `` (closed in the same text) | `<text>` |
//! | a word with a digit that is hexadecimal and has 8 or more characters (also with dashes: a UUID) | `<id>` |
//! | each other run of digits, with its sign, point and exponent | `<n>` |
//! | white space | one space |

use crate::wire::fnv;

/// Longest normalised text, in characters.
const LONGEST: usize = 300;

/// Shortest word that is taken for an id.
const ID: usize = 8;

/// The error text without what differs from one failure to the next.
pub(super) fn normalised(error: &str) -> String {
    let mut out = String::with_capacity(error.len().min(LONGEST));
    let mut rest = error;
    while let Some(first) = rest.chars().next() {
        let (piece, taken) = match first {
            '"' | '\'' | '`' => quoted(rest, first),
            c if c.is_whitespace() => {
                let end = rest.find(|c: char| !c.is_whitespace());
                (" ".to_owned(), end.unwrap_or(rest.len()))
            }
            c if is_word(c) => word(rest),
            c => (c.to_string(), c.len_utf8()),
        };
        out.push_str(&piece);
        rest = rest.get(taken.max(1)..).unwrap_or_default();
    }
    out.trim().chars().take(LONGEST).collect()
}

/// The fingerprint of a failure: 12 hexadecimal digits of the FNV-1a hash (64 bits) of reason, kind and normalised text.
pub(super) fn fingerprint(reason: &str, kind: Option<&str>, normalised: &str) -> String {
    let text = [reason, kind.unwrap_or(""), normalised].join("\u{0}");
    format!("{:012x}", fnv(text.bytes()) >> 16)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

/// A quoted part; a quote that is never closed, or that stands inside a word, is a character like others.
fn quoted(rest: &str, quote: char) -> (String, usize) {
    let inner = rest.get(1..).unwrap_or_default();
    match inner.find(quote) {
        // The end of it must not be followed by a letter, as in `don't`.
        Some(end) if !inner[end + 1..].starts_with(char::is_alphanumeric) => {
            ("<text>".to_owned(), end + 2)
        }
        _ => (quote.to_string(), 1),
    }
}

/// A word, and a quote behind it that is an apostrophe.
fn word(rest: &str) -> (String, usize) {
    let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    let (word, behind) = rest.split_at(end);
    if is_id(word) {
        return ("<id>".to_owned(), end);
    }
    let apostrophe = behind
        .strip_prefix('\'')
        .is_some_and(|rest| rest.starts_with(char::is_alphanumeric));
    let mut text = numbers_replaced(word);
    if apostrophe {
        text.push('\'');
    }
    (text, end + usize::from(apostrophe))
}

/// Hexadecimal with at least one digit, long enough; dashes as in a UUID.
fn is_id(word: &str) -> bool {
    let word = word.strip_prefix("0x").unwrap_or(word);
    let digits = word.chars().filter(|c| *c != '-');
    word.len() >= ID
        && digits.clone().all(|c| c.is_ascii_hexdigit())
        && digits.clone().any(|c| c.is_ascii_digit())
        && digits.clone().any(|c| c.is_ascii_alphabetic())
}

fn numbers_replaced(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut in_number = false;
    for c in word.chars() {
        if c.is_ascii_digit() {
            if !in_number {
                out.push_str("<n>");
            }
            in_number = true;
        } else {
            in_number = false;
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_differs_is_replaced() {
        for (error, expected) in [
            ("timed out after 30 s", "timed out after <n> s"),
            ("timed out after  31 s", "timed out after <n> s"),
            (r#"no user "ada" in `users`"#, "no user <text> in <text>"),
            ("don't retry, it's gone", "don't retry, it's gone"),
            (
                "order 7c9e6679-7425-40de-944b-e07fc1f90ae7 is locked",
                "order <id> is locked",
            ),
            ("at 0x7ffdeadbeef0", "at <id>"),
            (
                "HTTP 503 from host-17.example",
                "HTTP <n> from host-<n>.example",
            ),
            ("unclosed \"quote 1", "unclosed \"quote <n>"),
            ("deadbeef is a word", "deadbeef is a word"),
            ("", ""),
        ] {
            assert_eq!(normalised(error), expected, "{error}");
        }
    }

    #[test]
    fn reason_and_kind_tell_groups_apart() {
        let print = |reason, kind| fingerprint(reason, kind, "x");
        assert_ne!(print("error", Some("a")), print("panic", Some("a")));
        assert_ne!(print("error", Some("a")), print("error", Some("b")));
        assert_ne!(print("error", None), print("error", Some("error")));
        assert_eq!(print("error", None).len(), 12);
    }

    proptest! {
        #[test]
        fn any_text_is_normalised_to_a_bounded_line(error in any::<String>()) {
            let text = normalised(&error);
            prop_assert!(text.chars().count() <= LONGEST);
            prop_assert!(!text.contains('\n') && !text.chars().any(|c| c.is_ascii_digit()));
        }

        #[test]
        fn numbers_never_tell_errors_apart(a in 0_u64.., b in 0_u64..) {
            prop_assert_eq!(
                normalised(&format!("row {a} of 'x{a}' failed")),
                normalised(&format!("row {b} of 'x{b}' failed"))
            );
        }
    }
}
