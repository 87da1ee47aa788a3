//! Tables: columns without lines, so that `awk` and `cut` get along with them.

use comfy_table::{ColumnConstraint, ContentArrangement, Width, presets};
use unicode_width::UnicodeWidthStr;

/// Longest word that is kept whole, behind the first column.
const WORD: usize = 40;

/// A table under construction.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with a head.
    pub(crate) fn new(head: &[&str]) -> Self {
        Self {
            head: head.iter().map(|&cell| cell.to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// A table without a head.
    pub(crate) fn headless() -> Self {
        Self::new(&[])
    }

    pub(crate) fn row<C: Into<String>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// The text, without white space at the ends of lines. It is made to fit only if a person looks, and then no word is broken,
    /// so that an id can still be copied: long texts go on in the next line, and what is too narrow even for that gets a
    /// paragraph for each row.
    pub(super) fn render(&self, for_terminal: bool) -> String {
        let width = self.comfy().width().filter(|_| for_terminal);
        self.within(width.map(usize::from))
    }

    /// As [`Self::render`], in so many columns of characters.
    fn within(&self, width: Option<usize>) -> String {
        let mut words = self.widths();
        for word in words.iter_mut().skip(1) {
            *word = (*word).min(WORD);
        }
        // One blank on each side of a cell.
        let needed = words.iter().map(|word| word + 2).sum();
        match width {
            Some(width) if width < needed && !self.head.is_empty() => self.paragraphs(width),
            Some(width) => self.columns(Some((width, &words))),
            None => self.columns(None),
        }
    }

    fn columns(&self, fit: Option<(usize, &[usize])>) -> String {
        let mut table = self.comfy();
        if let Some((width, words)) = fit {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(narrow(width));
            for (column, word) in table.column_iter_mut().zip(words) {
                let least = Width::Fixed(narrow(word + 2));
                column.set_constraint(ColumnConstraint::LowerBoundary(least));
            }
        }
        let lines: Vec<String> = table
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect();
        lines.join("\n")
    }

    /// The first cell of a row on a line of its own, the others below it with the heads of their columns.
    fn paragraphs(&self, width: usize) -> String {
        let mut lines = Vec::new();
        for row in &self.rows {
            lines.extend(row.first().cloned());
            let mut line = String::new();
            let told = |cell: &str| !matches!(cell, "" | "-");
            for (head, cell) in self
                .head
                .iter()
                .zip(row)
                .skip(1)
                .filter(|(_, cell)| told(cell))
            {
                let item = format!("{} {cell}", head.to_lowercase());
                if !line.is_empty() && line.width() + item.width() + 4 > width {
                    lines.push(std::mem::take(&mut line));
                }
                line = match line.as_str() {
                    "" => format!("  {item}"),
                    begun => format!("{begun}, {item}"),
                };
            }
            lines.push(line);
        }
        lines.join("\n")
    }

    /// The width of the longest word of each column.
    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = Vec::new();
        for row in self.rows.iter().chain([&self.head]) {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                let words = cell.split_whitespace().map(UnicodeWidthStr::width);
                *width = words.chain([*width]).max().unwrap_or(0);
            }
        }
        widths
    }

    fn comfy(&self) -> comfy_table::Table {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Disabled);
        if !self.head.is_empty() {
            table.set_header(&self.head);
        }
        table.add_rows(&self.rows);
        table
    }
}

fn narrow(width: usize) -> u16 {
    u16::try_from(width).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters() -> Table {
        let mut table = Table::new(&["ID", "QUEUE", "ERROR", "AGE"]);
        table.row(["01M81DZ7HQ", "default", "no such user in that row", "2m"]);
        table.row(["b", "mail", "", "1h"]);
        table
    }

    #[test]
    fn no_line_ends_with_white_space() {
        let text = letters().render(false);
        assert_eq!(text.lines().count(), 3);
        assert!(text.lines().all(|line| line.trim_end() == line), "{text:?}");
    }

    #[test]
    fn long_texts_go_on_in_the_next_line_and_no_word_is_broken() {
        for width in 33..60 {
            let text = letters().within(Some(width));
            assert!(text.lines().all(|line| line.width() <= width), "{text}");
            for word in ["01M81DZ7HQ", "default", "QUEUE", "such", "mail"] {
                assert!(text.contains(word), "{width}: {text}");
            }
            assert!(text.starts_with(" ID"), "{text}");
        }
        assert_eq!(letters().within(Some(80)), letters().within(None));
    }

    #[test]
    fn what_is_too_narrow_for_columns_gets_paragraphs() {
        let text = "01M81DZ7HQ\n  queue default\n  error no such user in that row\n  age 2m\n\
                    b\n  queue mail, age 1h";
        assert_eq!(letters().within(Some(32)), text);
        assert_eq!(Table::new(&["ID"]).within(Some(1)), "");
    }

    #[test]
    fn fields_without_a_head_stay_fields() {
        let mut table = Table::headless();
        table.row(["status", "failed, in the dead letters"]);
        let text = table.within(Some(24));
        assert!(text.starts_with(" status  failed"), "{text}");
        assert!(text.lines().count() > 1, "{text}");
        assert!(table.within(Some(3)).contains("status"));
    }
}
