//! A configuration file that says what the defaults say, with a comment for each key.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::examples::{EXAMPLES, PROFILES};
use crate::schema::{Form, KeySpec, keys};
use crate::{Loaded, Origins, Settings};

const WIDTH: usize = 96;

const HEAD: &str = "\
# Configuration of NAQ.
#
# Later wins: the defaults, this file, the chosen profile in it, environment variables, flags.
# `naq config show --origin` shows where each value comes from, `naq config validate` what is wrong.
#
# A time is a number of seconds (2.5) or has units (500ms, 1h30m, 7d); a size is a number of bytes
# or has a unit (64KiB, 1GB). ${NAME:default} stands for a variable of the environment.
";

const MINIMAL: [&str; 4] = [
    "nats.servers",
    "nats.client_name",
    "nats.max_reconnect_attempts",
    "nats.reconnect_time_wait",
];

const MINIMAL_HEAD: &str = "\
# Configuration of NAQ: the least that is worth writing down. What is left out has its default;
# a file with every key comes from `naq config init`.
";

/// A configuration file with every key at its default, each with a comment; what can have a name
/// of your choice (queues, pools, handlers, profiles) is there as a comment.
///
/// It loads to exactly the defaults.
///
/// ```
/// let settings = naq_config::Settings::from_yaml(&naq_config::default_file())?;
/// assert_eq!(settings, naq_config::Settings::default());
/// # Ok::<(), naq_config::ConfigError>(())
/// ```
pub fn default_file() -> String {
    let mut text = render(HEAD, |_| true);
    text.push('\n');
    comment_out(&mut text, "", PROFILES);
    text
}

/// As [`default_file`], with the four keys that most files begin with.
pub fn minimal_file() -> String {
    render(MINIMAL_HEAD, |spec| MINIMAL.contains(&spec.path))
}

fn render(head: &str, wanted: impl Fn(&KeySpec) -> bool) -> String {
    let values = defaults();
    let mut text = head.to_owned();
    let mut open: Vec<&str> = Vec::new();
    for spec in keys().filter(|spec| !spec.path.contains('<') && wanted(spec)) {
        let segments: Vec<_> = spec.path.split('.').collect();
        let Some((name, parents)) = segments.split_last() else {
            continue;
        };
        if parents != open {
            let same = open.iter().zip(parents).take_while(|(a, b)| a == b).count();
            if same == 0 {
                close_section(&mut text, open.first());
            }
            for (depth, parent) in parents.iter().enumerate().skip(same) {
                text += &format!("\n{}{parent}:\n", "  ".repeat(depth));
            }
            open = parents.to_vec();
        }
        let indent = "  ".repeat(parents.len());
        comment(&mut text, &indent, spec);
        let value = values.get(spec.path).map_or("", String::as_str);
        text += &format!("{indent}{name}: {}\n", written(spec.form, value));
    }
    if head == HEAD {
        close_section(&mut text, open.first());
    }
    text
}

/// Every key that somebody may want to name is shown at the end of its section.
fn close_section(text: &mut String, section: Option<&&str>) {
    for (_, example) in EXAMPLES.iter().filter(|(of, _)| Some(of) == section) {
        text.push('\n');
        comment_out(text, "  ", example);
    }
}

/// The defaults as they are shown.
fn defaults() -> BTreeMap<String, String> {
    let loaded = Loaded {
        settings: Settings::default(),
        origins: Origins::default(),
        profile: None,
        files: Vec::new(),
        unknown_variables: Vec::new(),
    };
    loaded
        .show()
        .into_iter()
        .map(|row| (row.key, row.value))
        .collect()
}

fn written(form: Form, value: &str) -> String {
    let quoted = || format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
    match form {
        Form::List => format!("[{}]", quoted()),
        Form::Text | Form::Path => quoted(),
        _ if value.is_empty() => quoted(),
        _ => value.to_owned(),
    }
}

fn comment(text: &mut String, indent: &str, spec: &KeySpec) {
    let mut told = spec.doc.to_owned();
    if let Some((first, older)) = spec.variables.split_first() {
        // Writing to a String cannot fail.
        let _ignored = write!(told, " Variable: {first}");
        for name in older {
            let _ignored = write!(told, " (or {name})");
        }
    }
    let mut line = format!("{indent}#");
    for word in told.split(' ') {
        if line.len() + 1 + word.len() > WIDTH {
            *text += &format!("{line}\n");
            line = format!("{indent}#");
        }
        line += &format!(" {word}");
    }
    *text += &format!("{line}\n");
}

fn comment_out(text: &mut String, indent: &str, lines: &str) {
    for line in lines.lines() {
        let line = format!("{indent}# {}", line.trim_start_matches("# "));
        *text += &format!("{}\n", line.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_file_sets_every_key_to_its_default() {
        let loaded = crate::Loader::new().text(default_file()).load().unwrap();
        assert_eq!(loaded.settings, Settings::default());
        let set: Vec<_> = loaded
            .origins
            .iter()
            .map(|(key, _)| key.to_owned())
            .collect();
        let mut known: Vec<_> = keys()
            .map(|spec| spec.path.to_owned())
            .filter(|path| !path.contains('<'))
            .collect();
        known.sort();
        assert_eq!(set, known);
        assert!(
            default_file()
                .lines()
                .all(|line| line.len() <= 100 && line.trim_end() == line)
        );
    }

    #[test]
    fn the_minimal_file_sets_four_keys_to_their_defaults() {
        let loaded = crate::Loader::new().text(minimal_file()).load().unwrap();
        assert_eq!(loaded.settings, Settings::default());
        assert_eq!(loaded.origins.iter().count(), MINIMAL.len());
    }
}
