//! The commands that the book shows are commands.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::chapters::{chapter, fences};

/// The lines of all shell blocks, without their comments.
fn lines() -> Vec<(String, String)> {
    let blocks = fences("sh");
    let lines = blocks.iter().flat_map(|block| {
        let place = &block.place;
        let code = |line: &str| {
            line.split(" #")
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        block
            .text
            .lines()
            .map(move |line| (place.clone(), code(line)))
    });
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

#[test]
fn the_command_line_knows_every_command_of_the_book() {
    let commands: Vec<_> = lines()
        .into_iter()
        .filter(|(_, line)| line.starts_with("naq "))
        .collect();
    assert!(commands.len() >= 5, "{commands:?}");
    for (place, line) in commands {
        // Help comes after the flags have been read, and before anything is done. The page on
        // operations says that the commands of its list take `--json`; a worker has none.
        let takes_json = place.starts_with("operations") && line != "naq worker";
        let json = takes_json.then_some("--json");
        let words = line.split_whitespace().chain(json).chain(["--help"]);
        let args = words.map(OsString::from);
        let code = naq_cli::run(args);
        assert_eq!(
            format!("{code:?}"),
            format!("{:?}", ExitCode::SUCCESS),
            "{place}: {line}"
        );
    }
}

#[test]
fn the_exit_codes_of_the_book_are_those_of_the_command_line() {
    use naq_cli::exit_code as code;
    let page = chapter("operations.md");
    let table = page.split_once("| code | means |").unwrap().1;
    let shown: Vec<&str> = table
        .lines()
        .filter_map(|row| row.split('|').nth(1))
        .skip(1)
        .collect();
    let ours = [
        code::OK,
        code::INTERNAL,
        code::USAGE,
        code::CONFIGURATION,
        code::CONNECTION,
        code::TIMEOUT,
    ];
    let mut expected: Vec<String> = ours.map(|code| code.to_string()).into();
    expected.push(format!("{}, {}", code::INTERRUPTED, code::TERMINATED));
    let shown: Vec<&str> = shown.into_iter().map(str::trim).collect();
    assert_eq!(shown, expected);
}

#[test]
fn the_searches_of_the_guide_find_every_way_to_connect() {
    let searches: Vec<_> = lines()
        .into_iter()
        .filter(|(_, line)| line.starts_with("grep "))
        .collect();
    assert_eq!(searches.len(), 2, "{searches:?}");
    let found: Vec<String> = searches
        .iter()
        .map(|(_, search)| run_on_samples(search))
        .collect();
    for old in [
        "get_nats_connection",
        "get_jetstream_context",
        "close_nats_connection",
    ] {
        assert!(found[0].contains(old), "{old}: {}", found[0]);
    }
    for dial in [
        "connect(",
        "connect_with_options(",
        "ConnectOptions",
        "jetstream::new",
    ] {
        assert!(found[1].contains(dial), "{dial}: {}", found[1]);
    }
    assert!(
        found.iter().all(|lines| !lines.contains("harmless")),
        "{found:?}"
    );
}

/// What a search prints in a folder with old code.
fn run_on_samples(search: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let src = folder.path().join("src");
    fs::create_dir(&src).unwrap();
    let python = "nc = await get_nats_connection(url)\njs = await get_jetstream_context(nc)\n\
                  await close_nats_connection(nc)\nharmless()\n";
    let rust = "async_nats::connect(url);\nasync_nats::connect_with_options(url, options);\n\
                ConnectOptions::new();\nasync_nats::jetstream::new(client);\nharmless();\n";
    fs::write(src.join("old.py"), python).unwrap();
    fs::write(src.join("old.rs"), rust).unwrap();
    let output = Command::new("sh")
        .args(["-c", search])
        .current_dir(folder.path())
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{search}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_guide_forbids_what_this_repository_forbids() {
    let own =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../clippy.toml")).unwrap();
    let [block] = &fences("toml")[..] else {
        panic!("one block of clippy.toml is expected")
    };
    let paths: Vec<&str> = block
        .text
        .split('"')
        .filter(|part| part.contains("::con"))
        .collect();
    let methods: Vec<&str> = paths
        .into_iter()
        .filter(|path| path.starts_with("async_nats"))
        .collect();
    assert_eq!(methods.len(), 3, "{methods:?}");
    assert!(
        methods
            .iter()
            .all(|method| own.contains(&format!("\"{method}\""))),
        "{methods:?}"
    );
}

#[test]
fn unit_tests_tests_against_a_server_and_the_smoke_test_run_by_themselves() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let groups = [
        (
            "cargo test --workspace --lib --bins",
            "crates/naq-jobs/src/lib.rs",
        ),
        ("cargo test --workspace --tests", "tests/it/main.rs"),
        (
            "cargo run --release -- demo",
            "crates/naq-cli/src/commands/demo",
        ),
    ];
    let lines = lines();
    for (command, what) in groups {
        let told = lines.iter().any(|(_, line)| line == command);
        assert!(told, "the book does not say `{command}`");
        assert!(
            root.join(what).exists(),
            "`{command}` has nothing to run: {what}"
        );
    }
}
