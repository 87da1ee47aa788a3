//! The public face: say where values come from, then load.

use std::path::{Path, PathBuf};

use super::assembly::Assembly;
use super::environment::Environment;
use super::files::{File, Source, StandardPlaces};
use super::profiles::{self, Chosen};
use super::walk::{Walk, setting_of, unknown_key};
use crate::schema::{check_names, find_dotted};
use crate::{ConfigError, Origin, Origins, Place, Problem, Settings, validate};

const PROFILE_VARIABLE: &str = "NAQ_ENVIRONMENT";

/// Collects the sources of the settings.
///
/// Later wins: built-in defaults, the built-in values of the profile, files, the profile's
/// section in the files, environment variables, [`set`](Self::set). Nothing is read that was
/// not asked for: a loader without calls gives the defaults.
///
/// ```
/// # fn main() -> Result<(), naq_config::ConfigError> {
/// let loaded = naq_config::Loader::new()
///     .env([("NAQ_CONCURRENCY", "4"), ("NAQ_NATS_URL", "nats://a:4222,nats://b:4222")])
///     .set("workers.concurrency", "7")
///     .load()?;
/// assert_eq!(loaded.settings.workers.concurrency, 7);
/// assert_eq!(loaded.settings.nats.servers.len(), 2);
/// assert_eq!(loaded.origins.of("nats.servers").to_string(), "NAQ_NATS_URL");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
#[must_use = "a loader does nothing until `load`"]
pub struct Loader {
    source: Source,
    profile: Option<Chosen>,
    environment: Environment,
    overrides: Vec<Override>,
}

#[derive(Clone)]
struct Override {
    by: String,
    key: String,
    value: String,
}

/// Settings that passed every check, and where each came from.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Where each value came from.
    pub origins: Origins,
    /// The chosen profile.
    pub profile: Option<String>,
    /// The files that were read, the least important first.
    pub files: Vec<PathBuf>,
    /// Variables that begin with `NAQ_` and set nothing: misspelt, or of another version.
    pub unknown_variables: Vec<String>,
}

impl Loader {
    /// A loader that gives the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads `/etc/naq/config.yaml`, `~/.naq/config.yaml`, `./naq.yml` and `./naq.yaml`: all
    /// that exist, the later over the earlier. `~` is the `HOME` of the given environment.
    pub fn standard_files(self) -> Self {
        self.standard_files_in("/etc/naq", ".")
    }

    /// Like [`standard_files`](Self::standard_files) with other directories for `/etc/naq` and `.`.
    pub fn standard_files_in(
        mut self,
        system: impl Into<PathBuf>,
        working: impl Into<PathBuf>,
    ) -> Self {
        let places = StandardPlaces {
            system: system.into(),
            working: working.into(),
        };
        self.source = Source::Standard(places);
        self
    }

    /// Reads this file and no other; it must exist.
    pub fn file(mut self, path: impl AsRef<Path>) -> Self {
        self.source = Source::File(path.as_ref().to_owned());
        self
    }

    /// Takes this text for the only file.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.source = Source::Text(text.into());
        self
    }

    /// Chooses a profile, whatever `NAQ_ENVIRONMENT` says.
    pub fn profile(mut self, name: impl Into<String>) -> Self {
        let origin = Origin::Override {
            by: "profile".to_owned(),
        };
        self.profile = Some(Chosen {
            name: name.into(),
            origin,
        });
        self
    }

    /// Adds environment variables: for the variables of NAQ, for `${VAR}` in files, and `HOME`.
    ///
    /// A variable of NAQ that is empty counts as not set.
    pub fn env<N, V>(mut self, variables: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<String>,
        V: Into<String>,
    {
        for (name, value) in variables {
            self.environment.insert(name.into(), value.into());
        }
        self
    }

    /// Adds the environment of this process. Only here does the crate look at it.
    pub fn process_env(self) -> Self {
        let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
        self.env(std::env::vars_os().map(|(name, value)| (text(name), text(value))))
    }

    /// Sets one key, such as `workers.concurrency`; elements of a list are separated by commas.
    pub fn set(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.set_by("code", key, value)
    }

    /// Like [`set`](Self::set); `by` is what problems show, such as `--concurrency`.
    pub fn set_by(
        mut self,
        by: impl Into<String>,
        key: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        self.overrides.push(Override {
            by: by.into(),
            key: key.into(),
            value: value.into(),
        });
        self
    }

    /// Reads the sources and checks everything.
    ///
    /// # Errors
    ///
    /// All problems of all sources in one report: files that cannot be read or are not valid
    /// YAML, unknown keys, values of the wrong type or out of range, combinations that cannot
    /// work, variables without a value, an unknown profile.
    pub fn load(self) -> Result<Loaded, ConfigError> {
        let mut assembly = Assembly::new(&self.environment);
        let files = self
            .source
            .read(self.environment.filled("HOME"), &mut assembly.problems);
        let chosen = self.chosen_profile();
        if let Some(chosen) = &chosen {
            assembly
                .problems
                .extend(profiles::check_known(chosen, &files));
            assembly.apply(profiles::built_in(&chosen.name));
        }
        for file in &files {
            apply_file(file, &mut assembly);
        }
        for file in &files {
            profiles::apply(file, chosen.as_ref(), &mut assembly);
        }
        let (layer, mut problems) = self.environment.layer();
        assembly.problems.append(&mut problems);
        assembly.apply(layer);
        for change in &self.overrides {
            apply_override(change, &mut assembly);
        }
        assembly.finish_layers();
        let Assembly {
            settings,
            origins,
            mut problems,
            broken,
            ..
        } = assembly;
        problems.extend(validate::check(&settings, &origins, &broken));
        if !problems.is_empty() {
            return Err(ConfigError::new(problems));
        }
        let profile = chosen.map(|chosen| chosen.name);
        let files = files.into_iter().map(|file| file.path).collect();
        let unknown_variables = self.environment.unknown(&[PROFILE_VARIABLE]);
        Ok(Loaded {
            settings,
            origins,
            profile,
            files,
            unknown_variables,
        })
    }

    /// The files that are read if they exist.
    #[cfg(feature = "watch")]
    pub(crate) fn candidates(&self) -> Vec<PathBuf> {
        self.source.paths(self.environment.filled("HOME"))
    }

    fn chosen_profile(&self) -> Option<Chosen> {
        self.profile.clone().or_else(|| {
            let name = self.environment.filled(PROFILE_VARIABLE)?.trim().to_owned();
            let origin = Origin::Env {
                var: PROFILE_VARIABLE.to_owned(),
            };
            Some(Chosen { name, origin })
        })
    }
}

impl Settings {
    /// Settings from the text of one file, over the defaults; no variable is known.
    ///
    /// # Errors
    ///
    /// All problems of the text in one report.
    pub fn from_yaml(text: &str) -> Result<Self, ConfigError> {
        Loader::new()
            .text(text)
            .load()
            .map(|loaded| loaded.settings)
    }
}

/// What a loader holds may be secret: it knows the whole environment.
impl std::fmt::Debug for Loader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loader").finish_non_exhaustive()
    }
}

fn apply_file(file: &File, assembly: &mut Assembly<'_>) {
    let origin = |place: Place| Origin::file(&file.path, place);
    let mut walk = Walk::new(&origin, String::new());
    for section in file
        .sections
        .iter()
        .filter(|section| section.key != profiles::SECTION)
    {
        walk.field(&[], section);
    }
    assembly.problems.append(&mut walk.problems);
    assembly.problems.extend(profiles::check_shape(file));
    assembly.apply_expanding(walk.settings);
}

fn apply_override(change: &Override, assembly: &mut Assembly<'_>) {
    let Override { by, key, value } = change;
    let origin = Origin::Override { by: by.clone() };
    let path = find_dotted(key);
    let segments: Vec<_> = key.split('.').map(str::to_owned).collect();
    if let Some(Err(message)) = path.as_deref().map(check_names) {
        return assembly.problems.push(Problem::new(origin, key, message));
    }
    match setting_of(path, value, &origin) {
        Some(setting) => assembly.apply(vec![setting]),
        None => assembly
            .problems
            .push(Problem::new(origin, key, unknown_key(&segments))),
    }
}
