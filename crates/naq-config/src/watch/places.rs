//! The directories in which something may happen to a file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A chain of links that is longer is a circle.
const MAX_LINKS: usize = 16;

/// The existing directories of `files`, and of what their links lead to.
///
/// A mounted volume of Kubernetes has two links on the way: `naq.yaml` to `..data/naq.yaml`, and
/// `..data` to a directory that is exchanged. Both are in directories found here.
pub(super) fn directories(files: &[PathBuf]) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for file in files {
        let mut path = file.clone();
        for _ in 0..MAX_LINKS {
            let directory = parent(&path);
            if directory.is_dir() {
                found.insert(directory.clone());
            }
            match std::fs::read_link(&path) {
                Ok(target) => path = directory.join(target),
                Err(_) => break,
            }
        }
    }
    found
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_and_a_circle_ends() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("real")).unwrap();
        std::fs::write(at("real/naq.yaml"), "").unwrap();
        symlink("real/naq.yaml", at("naq.yaml")).unwrap();
        let found = directories(&[at("naq.yaml"), at("missing/naq.yaml"), "naq.yaml".into()]);
        let want = BTreeSet::from([dir.path().to_owned(), at("real"), ".".into()]);
        assert_eq!(found, want);
        symlink("b", at("a")).unwrap();
        symlink("a", at("b")).unwrap();
        assert_eq!(directories(&[at("a")]).len(), 1);
    }
}
