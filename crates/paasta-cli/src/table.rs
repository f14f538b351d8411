//! Aligned columns, two spaces apart, without rules; the last column is not padded (cli.md §0.5). A row of one cell is a
//! line of its own and does not widen a column.

use crate::paint::{Paint, Style};

/// A cell: its text and how it looks. Widths are taken from the text alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A cell in that style.
    pub fn new(style: Style, text: impl Into<String>) -> Self {
        Self { text: text.into(), style }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Cell::new(Style::Plain, text)
    }
}

/// The rows as lines, each indented by `indent` spaces and ended by a line feed.
pub fn render(rows: &[Vec<Cell>], indent: usize, paint: Paint) -> String {
    let widths = widths(rows);
    let mut out = String::new();
    for row in rows {
        let mut line = " ".repeat(indent);
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&paint.text(cell.style, &cell.text));
            line.push_str(&" ".repeat(width.saturating_sub(width_of(&cell.text)) + 2));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn widths(rows: &[Vec<Cell>]) -> Vec<usize> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let rows = || rows.iter().filter(|row| row.len() > 1 || columns == 1);
    let width =
        |column: usize| rows().filter_map(|row| row.get(column)).map(|cell| width_of(&cell.text)).max();
    (0..columns).map(|column| width(column).unwrap_or(0)).collect()
}

fn width_of(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_with_and_without_colours() {
        let rows = vec![vec!["a".into(), "bb".into()], vec![Cell::new(Style::Red, "ccc"), "d".into()]];
        assert_eq!(render(&rows, 2, Paint::new(false)), "  a    bb\n  ccc  d\n");
        assert_eq!(render(&rows, 0, Paint::new(true)), "a    bb\n\x1b[31mccc\x1b[0m  d\n");
    }
}
