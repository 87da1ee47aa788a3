//! Where the browser and its driver come from.
//!
//! Order: the named one > `PATH` > Debian's packages, which are installed once. What was named has to be there.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use super::debian;
use super::error::BrowserError;

const BROWSERS: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

const DRIVER: &str = "chromedriver";

/// What the look-up may use. Usually made by [`from_process_env`](Self::from_process_env); a test of the look-up fills it
/// by hand.
#[derive(Debug, Clone, Default)]
pub struct BrowserLookup {
    /// The browser to use (`NAQ_TEST_BROWSER`).
    pub browser: Option<PathBuf>,
    /// The driver to use (`NAQ_TEST_CHROMEDRIVER`).
    pub driver: Option<PathBuf>,
    /// Directories to search for both, and for `apt-get` and `sudo` (`PATH`).
    pub path: Option<OsString>,
}

/// A browser and its driver. Whether they fit together is known only when they are started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// Chromium or Chrome.
    pub browser: PathBuf,
    /// Its chromedriver.
    pub driver: PathBuf,
}

impl BrowserLookup {
    /// Takes `NAQ_TEST_BROWSER`, `NAQ_TEST_CHROMEDRIVER` and `PATH` from this process. An empty variable counts as not set.
    pub fn from_process_env() -> Self {
        let var = |name| env::var_os(name).filter(|value| !value.is_empty());
        Self {
            browser: var("NAQ_TEST_BROWSER").map(PathBuf::from),
            driver: var("NAQ_TEST_CHROMEDRIVER").map(PathBuf::from),
            path: var("PATH"),
        }
    }

    /// Finds a browser and its driver, or installs Debian's packages of them: 100 MB to load, once, by `apt-get` as root
    /// or with `sudo -n`. One process installs at a time; the others wait and then find them.
    ///
    /// # Errors
    /// When one of the two is not there and cannot be installed; says what was looked at and what to do.
    pub async fn find(&self) -> Result<Programs, BrowserError> {
        let mut looked_at = Vec::new();
        if let Some(found) = self.there(&mut looked_at) {
            return Ok(found);
        }
        // What was named is not replaced by something else.
        let is_named = self.browser.is_some() || self.driver.is_some();
        if is_named {
            return Err(BrowserError::new(looked_at));
        }
        if let Err(problem) = debian::install(self).await {
            looked_at.push(problem);
            return Err(BrowserError::new(looked_at));
        }
        let found = self.there(&mut looked_at);
        found.ok_or_else(|| BrowserError::new(looked_at))
    }

    /// What is there now; what was looked at in vain is noted.
    pub(super) fn there(&self, looked_at: &mut Vec<String>) -> Option<Programs> {
        let mut note = |what: String| looked_at.push(what);
        let browser = self.one("NAQ_TEST_BROWSER", self.browser.as_ref(), &BROWSERS);
        let browser = browser.map_err(&mut note).ok();
        let driver = self.one("NAQ_TEST_CHROMEDRIVER", self.driver.as_ref(), &[DRIVER]);
        let driver = driver.map_err(&mut note).ok();
        Some(Programs {
            browser: browser?,
            driver: driver?,
        })
    }

    fn one(
        &self,
        variable: &str,
        named: Option<&PathBuf>,
        names: &[&str],
    ) -> Result<PathBuf, String> {
        match named {
            Some(file) if file.is_file() => Ok(file.clone()),
            Some(file) => Err(format!("{variable}: {}: no such file", file.display())),
            None => names.iter().find_map(|name| self.program(name)).ok_or_else(
                // One line for both places.
                || format!("{variable}: not set; PATH: no {}", names.join(", no ")),
            ),
        }
    }

    /// The first file of this name in the directories of `PATH`.
    pub(super) fn program(&self, name: &str) -> Option<PathBuf> {
        env::split_paths(self.path.as_ref()?)
            .filter(|directory| directory.is_absolute())
            .map(|directory| directory.join(name))
            .find(|file| file.is_file())
    }
}
