//! A configuration file that says what the defaults say, with a comment for each key.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::examples::{EXAMPLES, PROFILES};
use crate::schema::{Form, KeySpec, keys};
use crate::{ConfigError, Loaded, Loader, Origin, Origins, Settings};

const WIDTH: usize = 96;

const HEAD: &str = "\
# Configuration of NAQ.
#
# Later wins: the defaults, this file, the chosen profile in it, environment variables, flags.
# `naq config show --origin` shows where each value comes from, `naq config validate` what is wrong.
#
# A time is a number of seconds (2.5) or has units (500ms, 1h30m, 7d); a size is a number of bytes
# or has a unit (64KiB, 1GB). ${NAME:default} stands for a variable of the environment.
#
# Every key is here with its default, behind a `#`: take that away where you change a value.
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

/// What is behind a `#`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Off {
    Nothing,
    /// Every value that is the default.
    Defaults,
}

/// A configuration file with every key and its default behind a `#`, each with a comment, and with
/// examples of what has a name of your choice: queues, pools, handlers, profiles.
///
/// It loads to exactly the defaults, and so that better defaults of a later version and the
/// values of a profile have their effect.
///
/// ```
/// let settings = naq_config::Settings::from_yaml(&naq_config::default_file())?;
/// assert_eq!(settings, naq_config::Settings::default());
/// # Ok::<(), naq_config::ConfigError>(())
/// ```
pub fn default_file() -> String {
    whole(&defaults())
}

/// As [`default_file`], with the values of a built-in profile switched on: `development`, `production` or `testing`.
///
/// ```
/// let settings = naq_config::Settings::from_yaml(&naq_config::environment_file("production")?)?;
/// assert_eq!(settings.workers.concurrency, 50);
/// # Ok::<(), naq_config::ConfigError>(())
/// ```
///
/// # Errors
/// There is no such profile; the error names those that there are.
pub fn environment_file(profile: &str) -> Result<String, ConfigError> {
    Ok(whole(&Loader::new().profile(profile).load()?))
}

fn whole(loaded: &Loaded) -> String {
    let mut text = render(HEAD, loaded, Off::Defaults, |_| true);
    text.push('\n');
    comment_out(&mut text, "", PROFILES);
    text
}

/// As [`default_file`], with the four keys that most files begin with.
pub fn minimal_file() -> String {
    let wanted = |spec: &KeySpec| MINIMAL.contains(&spec.path);
    render(MINIMAL_HEAD, &defaults(), Off::Nothing, wanted)
}

fn render(head: &str, loaded: &Loaded, off: Off, wanted: impl Fn(&KeySpec) -> bool) -> String {
    let rows = loaded.show().into_iter();
    let values: BTreeMap<_, _> = rows.map(|row| (row.key, (row.value, row.origin))).collect();
    let mut text = head.to_owned();
    let mut open: Vec<&str> = Vec::new();
    for spec in keys().filter(|spec| !spec.path.contains('<') && wanted(spec)) {
        let segments: Vec<_> = spec.path.split('.').collect();
        let Some((name, parents)) = segments.split_last() else {
            continue;
        };
        if parents != open {
            let same = open.iter().zip(parents).take_while(|(a, b)| a == b).count();
            if same == 0 && !open.is_empty() {
                close_section(&mut text, open.first());
            }
            for (depth, parent) in parents.iter().enumerate().skip(same) {
                text += &format!("\n{}{parent}:\n", "  ".repeat(depth));
            }
            open = parents.to_vec();
        }
        let indent = "  ".repeat(parents.len());
        comment(&mut text, &indent, spec);
        let shown = values.get(spec.path);
        let (value, origin) = shown.map_or(("", &Origin::Default), |(v, o)| (v.as_str(), o));
        let sign = match off == Off::Defaults && *origin == Origin::Default {
            true => "#",
            false => "",
        };
        text += &format!("{indent}{sign}{name}: {}\n", written(spec.form, value));
    }
    close_section(&mut text, open.first());
    text
}

/// The examples at the end of a section.
fn close_section(text: &mut String, section: Option<&&str>) {
    for (_, example) in EXAMPLES.iter().filter(|(of, _)| Some(of) == section) {
        text.push('\n');
        comment_out(text, "  ", example);
    }
}

fn defaults() -> Loaded {
    Loaded {
        settings: Settings::default(),
        origins: Origins::default(),
        profile: None,
        files: Vec::new(),
        unknown_variables: Vec::new(),
    }
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
        // Prose has its sign already.
        let sign = if line.is_empty() || line.starts_with('#') {
            ""
        } else {
            "#"
        };
        *text += &format!("{}\n", format!("{indent}{sign}{line}").trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The file with every value switched on, but not the examples below a name.
    fn switched_on() -> String {
        let on = |line: &str| match line.trim_start().strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => {
                line.replacen('#', "", 1)
            }
            _ => line.to_owned(),
        };
        default_file()
            .lines()
            .map(on)
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn the_default_file_has_every_key_with_its_default() {
        let load = |text: String| Loader::new().text(text).load().unwrap();
        assert_eq!(load(default_file()).settings, Settings::default());
        let loaded = load(switched_on());
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
    fn a_file_of_nothing_but_defaults_does_not_undo_a_profile() {
        let loader = Loader::new().text(default_file()).profile("production");
        assert_eq!(loader.load().unwrap().settings.workers.concurrency, 50);
    }

    #[test]
    fn the_file_of_an_environment_sets_what_its_profile_sets() {
        for (profile, keys) in [
            ("development", &["workers.concurrency"][..]),
            ("production", &["workers.concurrency"]),
            ("testing", &["events.enabled", "workers.concurrency"]),
        ] {
            let text = environment_file(profile).unwrap();
            let chosen = Loader::new().profile(profile).load().unwrap();
            let loaded = Loader::new().text(text).load().unwrap();
            assert_eq!(loaded.settings, chosen.settings, "{profile}");
            let set: Vec<_> = loaded.origins.iter().map(|(key, _)| key).collect();
            assert_eq!(set, keys, "{profile}");
        }
        let error = environment_file("produktion").unwrap_err().to_string();
        assert!(error.contains("did you mean `production`"), "{error}");
    }

    #[test]
    fn the_minimal_file_sets_four_keys_to_their_defaults() {
        let loaded = Loader::new().text(minimal_file()).load().unwrap();
        assert_eq!(loaded.settings, Settings::default());
        assert_eq!(loaded.origins.iter().count(), MINIMAL.len());
    }
}
