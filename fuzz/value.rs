//! What must hold for any text as a value with variables. The fuzz target and the test of its seeds ask the same.

use naq_config::Loader;

/// It may be refused, and without variables it is as written; says whether it was.
pub(crate) fn is_as_written(text: &str) -> bool {
    // Quoted, so that every text is one value.
    let value = text.replace(['\n', '\r'], " ");
    let quoted = value.replace('\'', "''");
    let loader = Loader::new().text(format!("nats: {{client_name: '{quoted}'}}"));
    let outcome = loader.env([("A", "a"), ("B", ""), ("C", "${A}")]).load();
    match outcome {
        Ok(loaded) if !value.contains('$') => {
            assert_eq!(loaded.settings.nats.client_name, value);
            true
        }
        _ => false,
    }
}
