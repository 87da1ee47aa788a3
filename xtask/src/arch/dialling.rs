//! One place dials: only `naq-connection` may name the connect functions of the client.

use crate::report::Finding;
use crate::source::{PathUse, Source, path_uses};

const CLIENT: &str = "async_nats";
const DIALS: [&str; 3] = ["connect", "connect_with_options", "ConnectOptions"];

pub(crate) fn check(source: &Source) -> Vec<Finding> {
    if may_dial(source) {
        return Vec::new();
    }
    let named = path_uses(&source.ast, &[], true);
    let wrong = named
        .iter()
        .filter_map(|path| Some((path.line, what_is_wrong(path)?)));
    wrong
        .map(|(line, message)| Finding::at(&source.path, line, message))
        .collect()
}

/// Benchmarks compare with the bare client, so they may dial too.
fn may_dial(source: &Source) -> bool {
    source.path.starts_with("crates/naq-connection")
        || source
            .path
            .iter()
            .any(|part| part.to_string_lossy().contains("bench"))
}

fn what_is_wrong(path: &PathUse) -> Option<String> {
    let segments: Vec<&str> = path.segments.iter().map(String::as_str).collect();
    let dials = segments.contains(&"ConnectOptions")
        || matches!(segments.as_slice(), [CLIENT, name, ..] if DIALS.contains(name));
    if dials {
        let written = segments.join("::");
        return Some(format!(
            "`{written}` dials: take a lease from naq-connection instead"
        ));
    }
    // Under another name, or with all names in scope, a dial could not be seen any more.
    let hidden = match segments.as_slice() {
        [CLIENT, "*"] => true,
        [CLIENT] => path
            .imported_as
            .as_deref()
            .is_some_and(|name| name != CLIENT),
        _ => false,
    };
    hidden.then(|| format!("import {CLIENT} by its name and without `*`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> usize {
        check(&Source::parse(path, text.to_owned()).unwrap()).len()
    }

    #[test]
    fn each_way_to_dial_is_found() {
        for text in [
            "async fn f() { async_nats::connect(\"x\").await; }",
            "use async_nats::{Client, connect_with_options};",
            "use async_nats::ConnectOptions as Options;",
            "fn f() { let _ = async_nats::options::ConnectOptions::new(); }",
            "fn f() { tokio::join!(async_nats::connect(\"x\")); }",
            "use async_nats as client;",
            "use async_nats::*;",
            "#[cfg(test)] mod tests { use async_nats::connect; }",
        ] {
            assert!(findings("crates/naq-jobs/src/lib.rs", text) > 0, "{text}");
        }
    }

    #[test]
    fn other_parts_of_the_client_are_fine() {
        let text = "use async_nats::Client; fn connect() {} fn f() { connect(); self::connect() }";
        assert_eq!(findings("crates/naq-jobs/src/lib.rs", text), 0);
    }

    #[test]
    fn the_connection_crate_and_benchmarks_may_dial() {
        let text = "use async_nats::connect;";
        assert_eq!(findings("crates/naq-connection/src/dial.rs", text), 0);
        assert_eq!(findings("benches/src/scopes.rs", text), 0);
    }
}
