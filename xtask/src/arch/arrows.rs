//! Crates use only crates below them.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cargo;
use crate::report::Finding;
use crate::tree::Tree;

/// Each crate under `crates/` and its floor. A crate may use crates of lower floors only, so two
/// on the same floor know nothing of each other.
const FLOORS: [(&str, u8); 10] = [
    ("naq-config", 0),
    ("naq-embedded", 0),
    ("naq-macros", 0),
    ("naq-connection", 1),
    ("naq-jobs", 2),
    ("naq-otel", 3),
    ("naq", 4),
    ("naq-cli", 5),
    ("naq-dashboard", 5),
    (TESTING, 5),
];

/// Serves tests only, so it may use every library, and no product code may use it.
const TESTING: &str = "naq-testing";

/// What the arrow rule needs to know of a package.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    name: String,
    /// Its folder, from the root of the repository.
    folder: PathBuf,
    /// Packages of this workspace that it uses, apart from its tests.
    uses: Vec<String>,
}

impl Package {
    pub(crate) fn src(&self) -> PathBuf {
        self.folder.join("src")
    }
}

/// Asks cargo for the packages of the workspace.
pub(crate) fn read_packages(tree: &Tree) -> Result<Vec<Package>, String> {
    let args = [
        "metadata",
        "--no-deps",
        "--offline",
        "--format-version",
        "1",
    ];
    let output = cargo::command(tree, &args)
        .output()
        .map_err(|error| format!("failed to start cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("failed to read cargo metadata: {error}"))?;
    packages_of(&metadata).ok_or_else(|| "cargo metadata has an unknown form".to_owned())
}

fn packages_of(metadata: &Value) -> Option<Vec<Package>> {
    let root = Path::new(metadata["workspace_root"].as_str()?);
    let mut packages = Vec::new();
    for package in metadata["packages"].as_array()? {
        let manifest = Path::new(package["manifest_path"].as_str()?);
        let folder = manifest.parent()?.strip_prefix(root).ok()?.to_owned();
        let uses = package["dependencies"]
            .as_array()?
            .iter()
            .filter(|dependency| dependency["kind"] != "dev" && dependency["path"].is_string())
            .filter_map(|dependency| dependency["name"].as_str().map(str::to_owned))
            .collect();
        packages.push(Package {
            name: package["name"].as_str()?.to_owned(),
            folder,
            uses,
        });
    }
    Some(packages)
}

pub(crate) fn check(packages: &[Package]) -> Vec<Finding> {
    packages
        .iter()
        .filter(|package| package.folder.starts_with("crates"))
        .flat_map(|package| {
            let manifest = package.folder.join("Cargo.toml");
            check_package(package)
                .into_iter()
                .map(move |message| Finding::in_file(&manifest, message))
        })
        .collect()
}

fn check_package(package: &Package) -> Vec<String> {
    let name = &package.name;
    let Some(floor) = floor_of(name) else {
        return vec![format!(
            "crate {name} has no floor: give it one in xtask (arch/arrows.rs)"
        )];
    };
    let mut wrong = Vec::new();
    for used in &package.uses {
        match floor_of(used) {
            _ if used == TESTING => wrong.push(format!("{name} may use {used} in tests only")),
            Some(below) if below < floor => {}
            Some(_) => wrong.push(format!("{name} may not use {used}: arrows go down only")),
            None => wrong.push(format!("{name} uses {used}, which has no floor")),
        }
    }
    wrong
}

fn floor_of(name: &str) -> Option<u8> {
    FLOORS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, floor)| *floor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings_for(name: &str, folder: &str, uses: &[&str]) -> Vec<String> {
        let uses = uses.iter().map(|name| (*name).to_owned()).collect();
        let package = Package {
            name: name.to_owned(),
            folder: folder.into(),
            uses,
        };
        check(&[package])
            .into_iter()
            .map(|finding| finding.message)
            .collect()
    }

    #[test]
    fn an_arrow_down_is_fine() {
        let found = findings_for(
            "naq-jobs",
            "crates/naq-jobs",
            &["naq-connection", "naq-config"],
        );
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn an_arrow_up_or_sideways_is_found() {
        let up = findings_for("naq-connection", "crates/naq-connection", &["naq-jobs"]);
        let sideways = findings_for("naq-config", "crates/naq-config", &["naq-embedded"]);
        assert_eq!(
            up,
            ["naq-connection may not use naq-jobs: arrows go down only"]
        );
        assert_eq!(
            sideways,
            ["naq-config may not use naq-embedded: arrows go down only"]
        );
    }

    #[test]
    fn macros_use_no_crate_of_the_workspace() {
        assert_eq!(
            findings_for("naq-macros", "crates/naq-macros", &["naq-config"]).len(),
            1
        );
    }

    #[test]
    fn a_crate_without_a_floor_is_found() {
        assert_eq!(findings_for("naq-new", "crates/naq-new", &[]).len(), 1);
    }

    #[test]
    fn the_test_kit_serves_tests_only() {
        assert_eq!(
            findings_for("naq-cli", "crates/naq-cli", &["naq-testing"]).len(),
            1
        );
        assert_eq!(findings_for("naq-it", "tests", &["naq-testing"]).len(), 0);
    }

    #[test]
    fn uses_of_tests_are_left_out_of_the_metadata() {
        let metadata = serde_json::json!({
            "workspace_root": "/r",
            "packages": [{
                "name": "naq-jobs",
                "manifest_path": "/r/crates/naq-jobs/Cargo.toml",
                "dependencies": [
                    { "name": "naq-config", "kind": null, "path": "/r/crates/naq-config" },
                    { "name": "naq-testing", "kind": "dev", "path": "/r/crates/naq-testing" },
                    { "name": "serde", "kind": null },
                ],
            }],
        });
        let packages = packages_of(&metadata).unwrap();
        assert_eq!(packages[0].uses, ["naq-config"]);
        assert_eq!(packages[0].folder, Path::new("crates/naq-jobs"));
    }
}
