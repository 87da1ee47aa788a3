//! Counts the text files that the demo counts, in the plainest way, so that both can be compared.

use std::fs;
use std::path::Path;

use crate::tree::Tree;

/// Sums over the text files of a folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) files: u64,
    pub(crate) lines: u64,
    pub(crate) words: u64,
}

pub(crate) fn count(tree: &Tree, folder: &Path) -> Result<Sums, String> {
    let mut sums = Sums::default();
    for path in tree.files_under(folder)? {
        let bytes = fs::read(tree.root().join(&path))
            .map_err(|error| format!("failed to read {}: {error}", path.display()))?;
        sums.add(&bytes);
    }
    Ok(sums)
}

impl Sums {
    /// A text file is valid UTF-8 without a zero byte; others do not count.
    fn add(&mut self, bytes: &[u8]) {
        let Ok(text) = str::from_utf8(bytes) else {
            return;
        };
        if text.contains('\0') {
            return;
        }
        self.files += 1;
        let mut in_word = false;
        for c in text.chars() {
            self.lines += u64::from(c == '\n');
            self.words += u64::from(!in_word && !c.is_whitespace());
            in_word = !c.is_whitespace();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_counts() {
        let mut sums = Sums::default();
        for bytes in ["one two\n\tthree".as_bytes(), b"", b"a\0b", b"\xff\xfe"] {
            sums.add(bytes);
        }
        assert_eq!(
            sums,
            Sums {
                files: 2,
                lines: 1,
                words: 3
            }
        );
    }
}
