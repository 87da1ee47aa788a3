//! Any text as a value with variables: it may be refused, and without variables it is as written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use naq_config::Loader;

fuzz_target!(|text: &str| {
    // Quoted, so that every text is one value.
    let value = text.replace(['\n', '\r'], " ");
    let quoted = value.replace('\'', "''");
    let loader = Loader::new().text(format!("nats: {{client_name: '{quoted}'}}"));
    let outcome = loader.env([("A", "a"), ("B", ""), ("C", "${A}")]).load();
    if let Ok(loaded) = outcome
        && !value.contains('$')
    {
        assert_eq!(loaded.settings.nats.client_name, value);
    }
});
