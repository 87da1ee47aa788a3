//! Which files the demo counts, and the direct count that the jobs are compared with.
//!
//! All regular files below a directory that are text (valid UTF-8 without NUL bytes). Left out: names that begin with a
//! dot, and `target` and `node_modules`. Symbolic links are not followed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::text::{self, Frequencies, TextCount};

/// Names that are left out besides those with a dot.
const LEFT_OUT: [&str; 2] = ["target", "node_modules"];

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
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with('.') && !LEFT_OUT.contains(&&*name) {
            entries.push((entry.path(), entry.file_type()?));
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_counts_and_hidden_names_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        for folder in ["sub/deep", "target", "node_modules", ".git"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        for text in [
            "b.txt",
            "sub/deep/a.txt",
            "target/x",
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
        assert_eq!(found, [at("b.txt"), at("sub/deep/a.txt")]);
        assert_eq!((corpus.lines(), corpus.words()), (2, 4));
        assert_eq!(corpus.frequencies["one"], 2);
        assert!(corpus.skipped.is_empty());
    }

    #[test]
    fn a_scan_can_be_stopped() {
        let dir = tempfile::tempdir().unwrap();
        assert!(scan(dir.path(), &|| false).is_err());
    }
}
