//! What a user of the loader can rely on.

#![expect(
    clippy::unwrap_used,
    reason = "also what the tests are built on may panic"
)]

mod documented;
mod fuzzed;
mod layers;
mod profiles;
mod report;
mod schema;
mod variables;
mod watch;

use naq_config::{Loaded, Loader};

/// The report of a text, without its first line.
fn problems(text: &str) -> Vec<String> {
    problems_of(Loader::new().text(text))
}

fn problems_of(loader: Loader) -> Vec<String> {
    let error = loader.load().expect_err("the load must fail");
    error.problems().iter().map(ToString::to_string).collect()
}

fn load(text: &str, env: &[(&str, &str)]) -> Loaded {
    Loader::new()
        .text(text)
        .env(env.iter().copied())
        .load()
        .expect("the text must load")
}

fn one_problem(text: &str, want: &str) {
    assert_eq!(problems(text), [want], "{text}");
}
