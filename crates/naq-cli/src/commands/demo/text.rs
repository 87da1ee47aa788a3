//! What is in a text: lines, words, the most frequent words. Reads in pieces, so a file may be larger than memory.

use std::collections::HashMap;
use std::io::{self, Read};

use serde::{Deserialize, Serialize};

/// How many of the most frequent words are kept.
pub(super) const TOP: usize = 10;

/// Longer words count as words, but are not ranked: a file without white space is one word.
const LONGEST_RANKED: usize = 100;

const PIECE: usize = 64 * 1024;

/// What a job finds in its file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct TextCount {
    /// New-line characters, as `wc -l`.
    pub(super) lines: u64,
    /// Runs between Unicode white space; for ordinary text as `wc -w`.
    pub(super) words: u64,
    /// The most frequent words, the most frequent first.
    pub(super) top: Vec<(String, u64)>,
}

/// How often each word was seen.
pub(super) type Frequencies = HashMap<String, u64>;

/// Counts what `reader` gives and adds its words to `all`; `None` (and nothing added) if it is no text: not UTF-8, or
/// with a NUL byte. `go_on` is asked between the pieces.
pub(super) fn count(
    mut reader: impl Read,
    all: &mut Frequencies,
    go_on: impl Fn() -> bool,
) -> io::Result<Option<TextCount>> {
    let mut counter = Counter::default();
    let mut piece = vec![0; PIECE];
    // Bytes of a character that the last piece has cut.
    let mut cut = 0;
    while go_on() {
        let read = match reader.read(&mut piece[cut..]) {
            Ok(0) if cut > 0 => return Ok(None),
            Ok(0) => return Ok(Some(counter.finish(all))),
            Ok(read) => cut + read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let whole = match std::str::from_utf8(&piece[..read]) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => return Ok(None),
        };
        let text = str::from_utf8(&piece[..whole]).unwrap_or_default();
        if text.contains('\0') {
            return Ok(None);
        }
        counter.feed(text);
        piece.copy_within(whole..read, 0);
        cut = read - whole;
    }
    Err(io::ErrorKind::Interrupted.into())
}

/// The most frequent words; of equally frequent ones the first in the alphabet.
pub(super) fn top(frequencies: &Frequencies) -> Vec<(String, u64)> {
    let mut words: Vec<(&String, u64)> = frequencies.iter().map(|(w, n)| (w, *n)).collect();
    words.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    words
        .into_iter()
        .take(TOP)
        .map(|(word, n)| (word.clone(), n))
        .collect()
}

#[derive(Debug, Default)]
struct Counter {
    lines: u64,
    words: u64,
    /// The word at the end of what was fed so far, which may go on.
    word: String,
    is_in_word: bool,
    frequencies: Frequencies,
}

impl Counter {
    fn feed(&mut self, text: &str) {
        for c in text.chars() {
            self.lines += u64::from(c == '\n');
            if c.is_whitespace() {
                self.end_word();
            } else {
                self.is_in_word = true;
                // One more than is ranked tells that it is too long.
                if self.word.len() <= LONGEST_RANKED {
                    self.word.push(c);
                }
            }
        }
    }

    fn end_word(&mut self) {
        if !self.is_in_word {
            return;
        }
        self.is_in_word = false;
        self.words += 1;
        if self.word.len() <= LONGEST_RANKED {
            add(&mut self.frequencies, &self.word, 1);
        }
        self.word.clear();
    }

    fn finish(mut self, all: &mut Frequencies) -> TextCount {
        self.end_word();
        for (word, n) in &self.frequencies {
            add(all, word, *n);
        }
        TextCount {
            lines: self.lines,
            words: self.words,
            top: top(&self.frequencies),
        }
    }
}

/// Allocates only for a word that is new.
fn add(frequencies: &mut Frequencies, word: &str, n: u64) {
    match frequencies.get_mut(word) {
        Some(count) => *count += n,
        None => drop(frequencies.insert(word.to_owned(), n)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, so that each character and word is cut.
    struct Slowly<'a>(&'a [u8]);

    impl Read for Slowly<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(&mut buffer[..1])
        }
    }

    fn counted(bytes: &[u8]) -> Option<TextCount> {
        let (mut fast, mut slow) = (Frequencies::new(), Frequencies::new());
        let found = count(bytes, &mut fast, || true).unwrap();
        assert_eq!(count(Slowly(bytes), &mut slow, || true).unwrap(), found);
        assert_eq!(fast, slow);
        found
    }

    #[test]
    fn lines_and_words_are_those_of_wc() {
        for (text, lines, words) in [
            ("", 0, 0),
            ("one two\n\tthree", 1, 3),
            ("\n\n \n", 3, 0),
            ("größer als 日本\u{a0}語\n", 1, 4),
            ("a\r\nb\r\n", 2, 2),
        ] {
            let found = counted(text.as_bytes()).unwrap();
            assert_eq!((found.lines, found.words), (lines, words), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_text_does_not_count() {
        for bytes in [&b"a\0b"[..], b"\xff\xfe", "é".as_bytes().split_at(1).0] {
            assert_eq!(counted(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn frequent_words_come_first_then_the_alphabet() {
        let found = counted(b"b a c b d").unwrap();
        let words: Vec<_> = found
            .top
            .iter()
            .map(|(word, n)| (word.as_str(), *n))
            .collect();
        assert_eq!(words, [("b", 2), ("a", 1), ("c", 1), ("d", 1)]);
    }

    #[test]
    fn an_endless_word_counts_but_is_not_ranked() {
        let found = counted("x".repeat(200_000).as_bytes()).unwrap();
        assert_eq!((found.words, found.top.len()), (1, 0));
    }

    #[test]
    fn counting_can_be_stopped() {
        assert!(count(&b"a"[..], &mut Frequencies::new(), || false).is_err());
    }
}
