//! Text of others for a terminal.

use std::borrow::Cow;

/// `text` with what a terminal would obey made visible, such as `\u{1b}[2J`: an error or a log line is what some job has said,
/// and whoever may enqueue must not be able to rewrite the screen of whoever looks. New lines, tabs and colours stay.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let kept = color(rest);
        let (part, after) = rest.split_at(kept.unwrap_or(next.len_utf8()));
        match kept {
            None if is_obeyed(next) => shown.extend(next.escape_default()),
            _ => shown.push_str(part),
        }
        rest = after;
    }
    Cow::Owned(shown)
}

fn is_obeyed(letter: char) -> bool {
    letter.is_control() && letter != '\n' && letter != '\t'
}

/// The bytes of the colour sequence (`ESC [ 1 ; 31 m`) with which `text` begins.
fn color(text: &str) -> Option<usize> {
    let numbers = text.strip_prefix("\u{1b}[")?;
    let end = numbers.find(|letter: char| !letter.is_ascii_digit() && letter != ';')?;
    numbers[end..].starts_with('m').then_some(end + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown_and_colours_stay() {
        for (text, shown) in [
            ("no such user\n\tZoë", "no such user\n\tZoë"),
            (
                "\u{1b}[1;31merror:\u{1b}[0m x",
                "\u{1b}[1;31merror:\u{1b}[0m x",
            ),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("over\rwritten\u{8}", "over\\rwritten\\u{8}"),
            ("\u{9b}2J\u{7f}", "\\u{9b}2J\\u{7f}"),
            ("\u{1b}[31", "\\u{1b}[31"),
            ("\u{1b}", "\\u{1b}"),
            ("\u{1b}[0mé\u{1b}[5n", "\u{1b}[0mé\\u{1b}[5n"),
        ] {
            assert_eq!(harmless(text), shown);
        }
    }
}
