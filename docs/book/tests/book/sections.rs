//! The sections that a reader of the requirements looks for.

use crate::chapters::{chapter, fences};

/// Whether the headings of a chapter have these, in this order.
fn assert_headings(name: &str, expected: &[&str]) {
    let text = chapter(name);
    let mut in_code = false;
    let mut headings = Vec::new();
    for line in text.lines() {
        in_code ^= line.starts_with("```");
        if !in_code && line.starts_with('#') {
            headings.push(line);
        }
    }
    let mut left = headings.iter();
    for wanted in expected {
        assert!(
            left.any(|heading| heading == wanted),
            "{name} has no `{wanted}` at its place among {headings:#?}"
        );
    }
}

/// How many lines between two headings begin with `start`.
fn count_between(name: &str, from: &str, to: &str, start: &str) -> usize {
    let text = chapter(name);
    let after = text
        .split_once(&format!("{from}\n"))
        .unwrap_or_else(|| panic!("{from}"))
        .1;
    let part = after
        .split_once(&format!("\n{to}"))
        .map_or(after, |(part, _)| part);
    part.lines().filter(|line| line.starts_with(start)).count()
}

#[test]
fn the_api_guide_has_its_sections() {
    const GUIDE: &str = "api/connection.md";
    assert_headings(
        GUIDE,
        &[
            "## Overview",
            "## Quick start",
            "### Basic use",
            "### With attributes",
            "## Scopes",
            "### `nats_connection()`",
            "### `jetstream_context()`",
            "### `nats_jetstream()`",
            "### `nats_kv_store()`",
            "## Utilities",
            "### Monitoring",
            "### Testing the connection",
            "### Measuring performance",
            "## Attributes",
            "### `#[with_nats_connection]`",
            "### `#[with_jetstream_context]`",
            "### `#[with_kv_store]`",
            "### `#[with_connection_monitoring]`",
            "### `#[retry_on_connection_failure]`",
            "## Configuration",
            "### The file",
            "### Environment variables",
            "## Best practices",
            "## Migration guide",
            "### Pattern 1: connect, operate",
            "### Pattern 2: JetStream",
            "### Pattern 3: key and value",
            "### Steps",
            "## Troubleshooting",
            "### Connection timeouts",
            "### Memory",
            "### Slow connections",
            "## API reference",
        ],
    );
    assert_eq!(count_between(GUIDE, "## Overview", "## ", "* **"), 4);
    assert_eq!(count_between(GUIDE, "## Best practices", "## ", "### "), 6);
    assert_eq!(count_between(GUIDE, "### Steps", "## ", "1. ") + 4, 5);
}

#[test]
fn the_api_reference_lists_four_scopes_five_utilities_and_five_attributes() {
    const GUIDE: &str = "api/connection.md";
    let reference = chapter(GUIDE);
    let reference = reference.split_once("## API reference").unwrap().1;
    let rows = |part: &str| part.lines().filter(|line| line.starts_with("| `")).count();
    let parts: Vec<usize> = reference.split("\n### ").skip(1).map(rows).collect();
    assert_eq!(parts, [4, 5, 5]);
}

#[test]
fn the_migration_guide_has_its_sections() {
    const GUIDE: &str = "migration/python.md";
    assert_headings(
        GUIDE,
        &[
            "## Overview",
            "## Before you start",
            "### Prerequisites",
            "### Tools",
            "## Process",
            "### Step 1: find what connects",
            "### Step 2: sort the patterns",
            "#### Pattern A: connect, operate",
            "#### Pattern B: JetStream",
            "#### Pattern C: key and value",
            "### Step 3: migrate in the order of risk",
            "### Step 4: take the configuration, not a URL",
            "### Step 5: change the imports",
            "## Examples",
            "### Example 1: a queue",
            "### Example 2: a worker",
            "### Example 3: an attribute",
            "## Testing your migration",
            "### Step 1: run the tests that you have",
            "### Step 2: test that old and new do the same",
            "### Step 3: compare the speed",
            "## Common issues and solutions",
            "### Issue 1: import errors",
            "### Issue 2: configuration errors",
            "### Issue 3: misuse of a scope",
            "### Issue 4: slower than before",
            "## Validation checklist",
            "### Functional",
            "### Performance",
            "### Code quality",
            "## Getting help",
            "## Next steps",
        ],
    );
    assert_eq!(count_between(GUIDE, "## Overview", "## ", "* **"), 5);
    assert_eq!(count_between(GUIDE, "### Prerequisites", "### ", "* "), 3);
    assert_eq!(count_between(GUIDE, "### Tools", "## ", "* "), 3);
}

#[test]
fn the_migration_guide_orders_the_work_and_lists_what_to_check() {
    const GUIDE: &str = "migration/python.md";
    let order = "### Step 3: migrate in the order of risk";
    for (priority, first) in [
        ("1. High", "queue"),
        ("2. Medium", "scheduler"),
        ("3. Low", "command"),
    ] {
        let text = chapter(GUIDE);
        let line = text
            .lines()
            .find(|line| line.starts_with(priority))
            .unwrap();
        assert!(line.contains(first), "{line}");
    }
    let numbered = |n: usize| count_between(GUIDE, order, "### Step 4", &format!("{n}. "));
    assert_eq!([1, 2, 3, 4, 5].map(numbered), [2, 2, 2, 1, 1]);
    let boxes = |from: &str, to: &str| count_between(GUIDE, from, to, "* [ ] ");
    assert_eq!(boxes("### Functional", "### Performance"), 5);
    assert_eq!(boxes("### Performance", "### Code quality"), 4);
    assert_eq!(boxes("### Code quality", "## "), 5);
    for section in ["## Getting help", "## Next steps"] {
        assert_eq!(count_between(GUIDE, section, "## ", "5. "), 1, "{section}");
    }
}

#[test]
fn the_migration_guide_maps_each_old_function() {
    let guide = chapter("migration/python.md");
    for old in [
        "get_nats_connection",
        "get_jetstream_context",
        "close_nats_connection",
    ] {
        let mapped = |line: &str| line.starts_with(&format!("| `{old}"));
        assert!(guide.lines().any(mapped), "{old}");
    }
}

#[test]
fn the_best_practices_have_their_sections() {
    const PAGE: &str = "best-practices.md";
    let sections = [
        "## Overview",
        "## Core principles",
        "## Performance",
        "## Errors",
        "## Resources",
        "## Configuration",
        "## Monitoring and debugging",
        "## Advanced patterns",
        "## Anti-patterns",
        "## Summary",
    ];
    assert_headings(PAGE, &sections);
    for section in &sections[1..9] {
        assert_eq!(count_between(PAGE, section, "## ", "### "), 3, "{section}");
    }
    let takeaways =
        (1..=9).filter(|n| count_between(PAGE, "## Summary", "## ", &format!("{n}. ")) == 1);
    assert_eq!(takeaways.count(), 8);
}

#[test]
fn every_component_is_shown_by_an_example() {
    let examples: String = fences("rust").into_iter().map(|fence| fence.text).collect();
    for component in [
        "nats_connection()",
        "jetstream_context(",
        "nats_jetstream()",
        "nats_kv_store(",
        "#[with_nats_connection",
        "#[with_jetstream_context",
        "#[with_kv_store",
        "#[with_connection_monitoring",
        "#[retry_on_connection_failure",
        "test_nats_connection(",
        "wait_for_nats_connection(",
        "measure_connection_performance(",
        ".metrics()",
        ".reset_metrics()",
        "ConnectionLimiter",
        "ExclusivePool",
        "HealthChecker",
        "CircuitBreaker",
        "Retry::new",
        ".shutdown(",
        ".rotate(",
        ".reload(",
        ".events()",
    ] {
        assert!(examples.contains(component), "no example of {component}");
    }
}
