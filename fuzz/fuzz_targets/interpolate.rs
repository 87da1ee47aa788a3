//! Any text as a value with variables: it may be refused, and nothing else.

#![no_main]

use libfuzzer_sys::fuzz_target;
use naq_config::Loader;

fuzz_target!(|text: &str| {
    // Quoted, so that every text is one value.
    let quoted = text.replace('\'', "''").replace(['\n', '\r'], " ");
    let loader = Loader::new().text(format!("nats: {{client_name: '{quoted}'}}"));
    let _outcome = loader.env([("A", "a"), ("B", ""), ("C", "${A}")]).load();
});
