//! Any text as a configuration file: it may be refused, and what it says can be shown.

#![no_main]

use libfuzzer_sys::fuzz_target;
use naq_config::Loader;

fuzz_target!(|text: &str| {
    match Loader::new().text(text).env([("A", text)]).load() {
        Ok(loaded) => drop(loaded.show()),
        Err(error) => drop(error.to_string()),
    }
});
