//! A real Chromium for tests of web pages: found or installed, driven through its own driver, gone with its test.
//!
//! ```text
//!   Lookup ──► Programs ──► Process ──► Browser ──► fantoccini::Client
//!   (find)     (paths)      (driver and all that it starts)
//! ```

mod chromium;
mod debian;
mod error;
mod find;

mod process;
mod session;

pub use chromium::Browser;
pub use error::BrowserError;
pub use find::{BrowserLookup, Programs};
