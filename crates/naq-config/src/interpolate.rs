//! Variables inside values: `${NAME}`, `${NAME:default}`, `${NAME:-default}`, and `$$` for `$`.
//!
//! Only parsed scalars come here, never the raw text of a file, so a variable cannot add keys
//! and a comment is not expanded. A variable that is set but empty counts as set, except for
//! `:-`, whose default is also taken for an empty variable. A default may hold colons, balanced
//! braces and further variables. A `$` before anything else stays as it is.

use std::borrow::Cow;

/// Defaults inside defaults; the limit keeps the recursion off the end of the stack.
const MAX_DEPTH: usize = 8;

/// Why a text could not be expanded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InterpolateError {
    /// The variable has neither a value nor a default.
    #[error("the variable `{0}` is not set; set it, or give a default with `${{{0}:default}}`")]
    Unset(String),
    #[error("`${{` is not closed; write `$$` for a literal `$`")]
    NotClosed,
    #[error("`${{` is not followed by the name of a variable; write `$$` for a literal `$`")]
    BadName,
    #[error("defaults are nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
}

/// Expands `text`; `lookup` knows the variables.
pub(crate) fn interpolate<'t>(
    text: &'t str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Cow<'t, str>, InterpolateError> {
    if !text.contains('$') {
        return Ok(Cow::Borrowed(text));
    }
    expand(text, lookup, 0).map(Cow::Owned)
}

fn expand(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
    depth: usize,
) -> Result<String, InterpolateError> {
    if depth > MAX_DEPTH {
        return Err(InterpolateError::TooDeep);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(body) = after.strip_prefix('{') {
            let end = closing_brace(body).ok_or(InterpolateError::NotClosed)?;
            out.push_str(&value_of(&body[..end], lookup, depth)?);
            rest = &body[end + 1..];
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn value_of(
    body: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
    depth: usize,
) -> Result<String, InterpolateError> {
    let (name, default) = match body.split_once(':') {
        Some((name, default)) => (name, Some(default)),
        None => (body, None),
    };
    if !is_variable_name(name) {
        return Err(InterpolateError::BadName);
    }
    let value = lookup(name);
    match (value, default) {
        (Some(value), None) => Ok(value),
        (None, None) => Err(InterpolateError::Unset(name.to_owned())),
        (value, Some(default)) => match (value, default.strip_prefix('-')) {
            (Some(value), None) => Ok(value),
            (Some(value), Some(_)) if !value.is_empty() => Ok(value),
            (_, stripped) => expand(stripped.unwrap_or(default), lookup, depth + 1),
        },
    }
}

fn closing_brace(body: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (at, c) in body.char_indices() {
        match c {
            '{' => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
    }
    None
}

fn is_variable_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str) -> Result<String, InterpolateError> {
        let lookup = |name: &str| match name {
            "SET" => Some("value".to_owned()),
            "EMPTY" => Some(String::new()),
            "TRICKY" => Some("${SET} $$".to_owned()),
            _ => None,
        };
        interpolate(text, &lookup).map(Cow::into_owned)
    }

    #[test]
    fn each_form_gives_its_documented_value() {
        for (text, want) in [
            ("plain", "plain"),
            ("${SET}", "value"),
            ("a${SET}b${SET}", "avaluebvalue"),
            ("${EMPTY}", ""),
            ("${EMPTY:x}", ""),
            ("${EMPTY:-x}", "x"),
            ("${SET:x}", "value"),
            ("${SET:-x}", "value"),
            ("${UNSET:x}", "x"),
            ("${UNSET:}", ""),
            ("${UNSET:-}", ""),
            ("${UNSET:nats://localhost:4222}", "nats://localhost:4222"),
            ("${UNSET:-nats://h:1}", "nats://h:1"),
            ("${UNSET:${SET}}", "value"),
            ("${UNSET:{\"a\": 1}}", "{\"a\": 1}"),
            ("$$", "$"),
            ("$${SET}", "${SET}"),
            ("pa$5 $word $", "pa$5 $word $"),
        ] {
            assert_eq!(run(text).as_deref(), Ok(want), "{text}");
        }
    }

    #[test]
    fn a_value_is_not_expanded_again() {
        assert_eq!(run("${TRICKY}").as_deref(), Ok("${SET} $$"));
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(
            run("${UNSET}"),
            Err(InterpolateError::Unset("UNSET".to_owned()))
        );
        assert_eq!(run("${SET"), Err(InterpolateError::NotClosed));
        assert_eq!(run("${}"), Err(InterpolateError::BadName));
        assert_eq!(run("${1A}"), Err(InterpolateError::BadName));
        let deep = format!("{}x{}", "${U:".repeat(100_000), "}".repeat(100_000));
        assert_eq!(run(&deep), Err(InterpolateError::TooDeep));
        assert!(
            run("${UNSET}")
                .unwrap_err()
                .to_string()
                .contains("`${UNSET:default}`")
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[$\\{\\}:A-C-]{0,40}|\\PC{0,40}") {
            let _outcome = run(&text);
        }

        #[test]
        fn a_text_without_a_dollar_is_unchanged(text in "[^$]{0,40}") {
            proptest::prop_assert_eq!(run(&text), Ok(text));
        }
    }
}
