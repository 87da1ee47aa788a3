//! Which files are read, and their text as trees.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::yaml::{self, Field, Node, Value};
use crate::{Origin, Problem};

/// The directories that the standard files are looked for in.
#[derive(Clone)]
pub(super) struct StandardPlaces {
    pub(super) system: PathBuf,
    pub(super) working: PathBuf,
}

/// Where the text of files comes from.
#[derive(Clone, Default)]
pub(super) enum Source {
    #[default]
    None,
    /// All of the standard files that exist.
    Standard(StandardPlaces),
    /// One file, which must exist.
    File(PathBuf),
    /// A text in place of a file.
    Text(String),
}

/// The sections of one file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) sections: Vec<Field>,
}

impl Source {
    /// The files, the least important first.
    pub(super) fn read(&self, home: Option<&str>, problems: &mut Vec<Problem>) -> Vec<File> {
        match self {
            Self::None => Vec::new(),
            Self::Text(text) => vec![parse(Path::new("(text)"), text, problems)],
            Self::File(path) => read(path, true, problems).into_iter().collect(),
            Self::Standard(places) => {
                let paths = places.paths(home);
                paths
                    .iter()
                    .filter_map(|path| read(path, false, problems))
                    .collect()
            }
        }
    }
}

#[cfg(feature = "watch")]
impl Source {
    /// Every file that would be read if it existed.
    pub(super) fn paths(&self, home: Option<&str>) -> Vec<PathBuf> {
        match self {
            Self::None | Self::Text(_) => Vec::new(),
            Self::File(path) => vec![path.clone()],
            Self::Standard(places) => places.paths(home),
        }
    }
}

impl StandardPlaces {
    fn paths(&self, home: Option<&str>) -> Vec<PathBuf> {
        let user = home.map(|home| Path::new(home).join(".naq").join("config.yaml"));
        let system = self.system.join("config.yaml");
        let local = ["naq.yml", "naq.yaml"].map(|name| self.working.join(name));
        [system].into_iter().chain(user).chain(local).collect()
    }
}

fn read(path: &Path, must_exist: bool, problems: &mut Vec<Problem>) -> Option<File> {
    match std::fs::read_to_string(path) {
        Ok(text) => Some(parse(path, &text, problems)),
        // `~/.naq` may also be a file of something else.
        Err(error)
            if !must_exist
                && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
        {
            None
        }
        Err(error) => {
            let message = format!("cannot be read: {error}");
            problems.push(Problem::without_key(Origin::whole_file(path), message));
            None
        }
    }
}

fn parse(path: &Path, text: &str, problems: &mut Vec<Problem>) -> File {
    let (root, faults) = yaml::parse(text);
    for fault in faults {
        problems.push(Problem::without_key(
            Origin::file(path, fault.place),
            fault.message,
        ));
    }
    let sections = match root {
        None
        | Some(Node {
            value: Value::Null, ..
        }) => Vec::new(),
        Some(Node {
            value: Value::Map(sections),
            ..
        }) => sections,
        Some(Node { place, value }) => {
            let message = format!("must be a map of sections, not {}", value.describe());
            problems.push(Problem::without_key(Origin::file(path, place), message));
            Vec::new()
        }
    };
    File {
        path: path.to_owned(),
        sections,
    }
}
