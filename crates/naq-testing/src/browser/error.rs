//! Why there is no browser.

use std::fmt;

/// No browser, or none with a driver. Its text says where was looked and what to do; trying again does not help before
/// something is installed.
#[derive(Debug, Clone)]
pub struct BrowserError(Vec<String>);

impl BrowserError {
    pub(super) fn new(looked_at: Vec<String>) -> Self {
        Self(looked_at)
    }
}

impl fmt::Display for BrowserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "no browser for tests; looked at:")?;
        for place in &self.0 {
            writeln!(f, "  - {place}")?;
        }
        f.write_str(
            "To install it: on Debian `apt-get install --no-install-recommends chromium chromium-driver`; elsewhere a \
             Chromium or Chrome and the chromedriver of the same version. Then put both on PATH, or set NAQ_TEST_BROWSER \
             and NAQ_TEST_CHROMEDRIVER to their full paths.",
        )
    }
}

impl std::error::Error for BrowserError {}
