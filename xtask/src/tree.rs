//! The repository on disk: its root and its files.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// The work tree that the checks read. Every path that leaves it is relative to the root.
#[derive(Debug)]
pub(crate) struct Tree {
    root: PathBuf,
}

impl Tree {
    /// The tree this xtask was started in. Asked at run time: a target directory shared by two
    /// work trees would otherwise check the wrong one.
    pub(crate) fn find() -> Result<Self, String> {
        let manifest_dir = std::env::var_os("CARGO_MANIFEST_DIR")
            .ok_or("CARGO_MANIFEST_DIR is not set: start it as `cargo xtask`")?;
        let root = Path::new(&manifest_dir)
            .parent()
            .ok_or("the xtask package has no parent")?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// All files with this extension, sorted; build output and hidden folders left out.
    pub(crate) fn files(&self, extension: &str) -> Result<Vec<PathBuf>, String> {
        let all = self.files_under(Path::new(""))?;
        Ok(all
            .into_iter()
            .filter(|path| path.extension() == Some(OsStr::new(extension)))
            .collect())
    }

    /// All files below a folder, sorted; build output and hidden names left out.
    pub(crate) fn files_under(&self, folder: &Path) -> Result<Vec<PathBuf>, String> {
        let mut found = Vec::new();
        let mut waiting = vec![folder.to_owned()];
        while let Some(folder) = waiting.pop() {
            for path in self.entries(&folder)? {
                let kind = fs::symlink_metadata(self.root.join(&path))
                    .map_err(|error| format!("failed to look at {}: {error}", path.display()))?;
                if kind.is_dir() {
                    waiting.push(path);
                } else if kind.is_file() {
                    found.push(path);
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// Names of the folders directly below a folder, sorted.
    pub(crate) fn folders_in(&self, folder: &Path) -> Result<Vec<String>, String> {
        let mut names: Vec<String> = self
            .entries(folder)?
            .into_iter()
            .filter(|path| self.root.join(path).is_dir())
            .filter_map(|path| {
                path.file_name()
                    .map(|name| name.to_string_lossy().into_owned())
            })
            .collect();
        names.sort();
        Ok(names)
    }

    pub(crate) fn read(&self, path: &Path) -> Result<String, String> {
        fs::read_to_string(self.root.join(path))
            .map_err(|error| format!("failed to read {}: {error}", path.display()))
    }

    pub(crate) fn exists(&self, path: &Path) -> bool {
        self.root.join(path).exists()
    }

    fn entries(&self, folder: &Path) -> Result<Vec<PathBuf>, String> {
        let failed = |error| format!("failed to list {}: {error}", folder.display());
        let mut paths = Vec::new();
        for entry in fs::read_dir(self.root.join(folder)).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if name != "target" && !name.to_string_lossy().starts_with('.') {
                paths.push(folder.join(name));
            }
        }
        Ok(paths)
    }
}
