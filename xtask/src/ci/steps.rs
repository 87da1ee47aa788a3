//! The steps of `cargo xtask ci`.

use super::demo;
use crate::docs::{self, Depth};
use crate::tree::Tree;
use crate::{arch, cargo, size};

/// One thing that can pass or fail.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) run: fn(&Tree) -> Result<(), String>,
}

pub(crate) const STEPS: [Step; 8] = [
    Step {
        name: "fmt",
        what: "cargo fmt --check",
        run: |tree| cargo::run(tree, &["fmt", "--all", "--check"]),
    },
    Step {
        name: "clippy",
        what: "lints of all targets, warnings are errors",
        run: |tree| {
            let all = [
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ];
            cargo::run(tree, &all)
        },
    },
    Step {
        name: "arch",
        what: "borders between crates and modules",
        run: |_| arch::run(),
    },
    Step {
        name: "size",
        what: "lines in files and functions",
        run: |_| size::run(),
    },
    Step {
        name: "docs",
        what: "conformance table, links, the book, ARCHITECTURE.md",
        run: |_| docs::run(Depth::Quick),
    },
    Step {
        name: "test",
        what: "cargo test --workspace, examples in documentation and book included",
        run: |tree| cargo::run(tree, &["test", "--workspace"]),
    },
    Step {
        name: "rustdoc",
        what: "cargo doc without warnings",
        run: cargo::doc,
    },
    Step {
        name: "demo",
        what: "the demo, its numbers counted again",
        run: demo::check,
    },
];

/// The steps in a list with commas, in the order of [`STEPS`]; all of them without a list.
pub(crate) fn choose(only: Option<&str>) -> Result<Vec<&'static Step>, String> {
    let Some(only) = only else {
        return Ok(STEPS.iter().collect());
    };
    let wanted: Vec<&str> = only.split(',').map(str::trim).collect();
    if let Some(unknown) = wanted
        .iter()
        .find(|name| STEPS.iter().all(|s| s.name != **name))
    {
        let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        return Err(format!(
            "there is no step `{unknown}`; the steps are {}",
            known.join(", ")
        ));
    }
    Ok(STEPS
        .iter()
        .filter(|step| wanted.contains(&step.name))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(only: Option<&str>) -> Result<Vec<&'static str>, String> {
        Ok(choose(only)?.into_iter().map(|step| step.name).collect())
    }

    #[test]
    fn steps_run_in_their_own_order() {
        assert_eq!(names(Some("arch, clippy")).unwrap(), ["clippy", "arch"]);
        assert_eq!(names(None).unwrap().len(), STEPS.len());
    }

    #[test]
    fn an_unknown_step_is_refused() {
        assert!(names(Some("arch,archs")).unwrap_err().contains("`archs`"));
    }
}
