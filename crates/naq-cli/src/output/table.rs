//! Tables: columns without lines, so that `awk` and `cut` get along with them.

use comfy_table::{ContentArrangement, presets};

/// A table under construction.
#[derive(Debug)]
pub(crate) struct Table(comfy_table::Table);

impl Table {
    /// A table with a head.
    pub(crate) fn new(head: &[&str]) -> Self {
        let mut table = Self::headless();
        table.0.set_header(head);
        table
    }

    /// A table without a head.
    pub(crate) fn headless() -> Self {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING);
        Self(table)
    }

    pub(crate) fn row<C: Into<String>>(&mut self, cells: impl IntoIterator<Item = C>) {
        let cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        self.0.add_row(cells);
    }

    /// The text, without white space at the ends of lines. Cells are broken to fit only if a person looks.
    pub(super) fn render(mut self, for_terminal: bool) -> String {
        self.0.set_content_arrangement(if for_terminal {
            ContentArrangement::Dynamic
        } else {
            ContentArrangement::Disabled
        });
        let lines: Vec<String> = self
            .0
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect();
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_ends_with_white_space() {
        let mut table = Table::new(&["ID", "ERROR"]);
        table.row(["a", "a long text"]);
        table.row(["b", ""]);
        let text = table.render(false);
        assert_eq!(text.lines().count(), 3);
        assert!(text.lines().all(|line| line.trim_end() == line), "{text:?}");
    }
}
