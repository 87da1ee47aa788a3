//! Where a value came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// A position in a file; both numbers start at 1 and count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// Where a value came from, or where a problem is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Origin {
    /// Nobody set it.
    #[default]
    Default,
    /// A configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The value in it; `None` means the file as a whole.
        place: Option<Place>,
    },
    /// The chosen profile.
    Profile {
        /// Name of the profile.
        name: String,
        /// The file and the value in it; `None` means the profile is built in.
        at: Option<(PathBuf, Place)>,
    },
    /// An environment variable.
    Env {
        /// Name of the variable.
        var: String,
    },
    /// Code or a command line flag.
    Override {
        /// The flag, or `code`.
        by: String,
    },
}

/// Where each value of a [`Loaded`](crate::Loaded) came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origins {
    keys: BTreeMap<String, Origin>,
    elements: BTreeMap<(String, usize), Origin>,
}

static DEFAULT: Origin = Origin::Default;

impl Origins {
    /// The origin of a key such as `nats.servers` or `queues.configs.emails.ack_wait`.
    pub fn of(&self, key: &str) -> &Origin {
        self.keys.get(key).unwrap_or(&DEFAULT)
    }

    /// The keys that somebody set, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Origin)> {
        self.keys.iter().map(|(key, origin)| (key.as_str(), origin))
    }

    /// The origin of one element of a list, or else of the whole list.
    pub(crate) fn of_element(&self, key: &str, index: usize) -> &Origin {
        self.elements
            .get(&(key.to_owned(), index))
            .unwrap_or_else(|| self.of(key))
    }

    pub(crate) fn insert(&mut self, key: &str, origin: Origin, places: Vec<Option<Place>>) {
        self.elements.retain(|(list, _), _| list != key);
        for (index, place) in places.into_iter().enumerate() {
            if let Some(place) = place {
                self.elements
                    .insert((key.to_owned(), index), origin.moved(place));
            }
        }
        self.keys.insert(key.to_owned(), origin);
    }
}

impl Origin {
    pub(crate) fn file(path: &Path, place: Place) -> Self {
        Self::File {
            path: path.to_owned(),
            place: Some(place),
        }
    }

    pub(crate) fn whole_file(path: &Path) -> Self {
        Self::File {
            path: path.to_owned(),
            place: None,
        }
    }

    /// What a report is sorted by, so that it can be read along the files.
    pub(crate) fn reading_order(&self) -> (u8, Option<&Path>, Option<Place>) {
        match self {
            Self::File { path, place } => (0, Some(path), *place),
            Self::Profile {
                at: Some((path, place)),
                ..
            } => (0, Some(path), Some(*place)),
            Self::Env { .. } => (1, None, None),
            Self::Override { .. } => (2, None, None),
            Self::Profile { at: None, .. } | Self::Default => (3, None, None),
        }
    }

    /// The same file at another place.
    pub(crate) fn moved(&self, to: Place) -> Self {
        let mut moved = self.clone();
        match &mut moved {
            Self::File { place, .. } => *place = Some(to),
            Self::Profile {
                at: Some((_, place)),
                ..
            } => *place = to,
            _ => {}
        }
        moved
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, place: None } => write!(f, "{}", path.display()),
            Self::File {
                path,
                place: Some(place),
            } => write!(f, "{}:{place}", path.display()),
            Self::Profile { name, at: None } => write!(f, "built-in profile {name}"),
            Self::Profile {
                name,
                at: Some((path, place)),
            } => {
                write!(f, "{}:{place} (profile {name})", path.display())
            }
            Self::Env { var } => f.write_str(var),
            Self::Override { by } => f.write_str(by),
        }
    }
}
