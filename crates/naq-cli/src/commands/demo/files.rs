//! Which files the demo counts, and the direct count that the jobs are compared with.
//!
//! All regular files below a directory that are text (valid UTF-8 without NUL bytes). Left out are directories that hold no
//! work of anybody: `.git`, `.naq`, `node_modules`, and caches, which say so with a `CACHEDIR.TAG` (cargo's `target` does).
//! Symbolic links are not followed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::text::{self, Frequencies, TextCount};

/// Directories that are left out, besides caches.
const LEFT_OUT: [&str; 3] = [".git", ".naq", "node_modules"];

/// The mark of a directory that can be made again (<https://bford.info/cachedir/>).
const CACHE_MARK: &str = "CACHEDIR.TAG";

/// A text file and what is in it.
#[derive(Debug, Clone)]
pub(super) struct Counted {
    pub(super) path: String,
    pub(super) count: TextCount,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Corpus {
    pub(super) files: Vec<Counted>,
    pub(super) frequencies: Frequencies,
    /// Files and directories that could not be read, with the reason.
    pub(super) skipped: Vec<String>,
}

impl Corpus {
    pub(super) fn lines(&self) -> u64 {
        self.files.iter().map(|file| file.count.lines).sum()
    }

    pub(super) fn words(&self) -> u64 {
        self.files.iter().map(|file| file.count.words).sum()
    }
}

/// Counts the text files below `dir`, in the order of their paths. Ends early, with `Interrupted`, once `go_on` says no.
pub(super) fn scan(dir: &Path, go_on: &dyn Fn() -> bool) -> io::Result<Corpus> {
    let mut corpus = Corpus::default();
    let mut waiting = vec![dir.to_owned()];
    while let Some(dir) = waiting.pop() {
        match entries(&dir) {
            Ok(entries) => {
                for (path, kind) in entries {
                    if kind.is_dir() {
                        waiting.push(path);
                    } else if kind.is_file() {
                        corpus.add(path, go_on)?;
                    }
                }
            }
            Err(error) => corpus.skipped.push(format!("{}: {error}", dir.display())),
        }
        if !go_on() {
            return Err(io::ErrorKind::Interrupted.into());
        }
    }
    corpus.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(corpus)
}

impl Corpus {
    fn add(&mut self, path: PathBuf, go_on: &dyn Fn() -> bool) -> io::Result<()> {
        let Some(name) = path.to_str().map(str::to_owned) else {
            self.skipped
                .push(format!("{}: its name is not UTF-8", path.display()));
            return Ok(());
        };
        let counted =
            File::open(&path).and_then(|file| text::count(file, &mut self.frequencies, go_on));
        match counted {
            Ok(Some(count)) => self.files.push(Counted { path: name, count }),
            Ok(None) => {}
            Err(error) if !go_on() => return Err(error),
            Err(error) => self.skipped.push(format!("{name}: {error}")),
        }
        Ok(())
    }
}

fn entries(dir: &Path) -> io::Result<Vec<(PathBuf, fs::FileType)>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if !(kind.is_dir() && is_left_out(&path)) {
            entries.push((path, kind));
        }
    }
    Ok(entries)
}

fn is_left_out(dir: &Path) -> bool {
    let name = dir.file_name().unwrap_or_default();
    LEFT_OUT.iter().any(|left_out| name == *left_out) || dir.join(CACHE_MARK).is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_counts_and_caches_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        for folder in ["sub/deep", "target", "build", "node_modules", ".git"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        for text in [
            "b.txt",
            "sub/deep/a.txt",
            "target/x",
            "build/x",
            "build/CACHEDIR.TAG",
            "node_modules/x",
            ".git/x",
            ".hidden",
        ] {
            fs::write(at(text), "one two\n").unwrap();
        }
        fs::write(at("binary"), [0, 255]).unwrap();
        std::os::unix::fs::symlink(at("b.txt"), at("link")).unwrap();
        let corpus = scan(dir.path(), &|| true).unwrap();
        let found: Vec<_> = corpus
            .files
            .iter()
            .map(|file| Path::new(&file.path))
            .collect();
        let expected = [".hidden", "b.txt", "sub/deep/a.txt", "target/x"].map(at);
        assert_eq!(found, expected);
        assert_eq!((corpus.lines(), corpus.words()), (4, 8));
        assert_eq!(corpus.frequencies["one"], 4);
        assert!(corpus.skipped.is_empty());
    }

    #[test]
    fn a_scan_can_be_stopped() {
        let dir = tempfile::tempdir().unwrap();
        assert!(scan(dir.path(), &|| false).is_err());
    }
}
