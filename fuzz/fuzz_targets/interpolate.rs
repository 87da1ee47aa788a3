//! Any text as a value with variables: it may be refused, and without variables it is as written.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../value.rs"]
mod value;

fuzz_target!(|text: &str| {
    value::is_as_written(text);
});
