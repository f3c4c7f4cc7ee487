//! Aligned columns: a heading, rows, the last column cut to the window.

use super::style::{Colour, Style};

/// A column: its heading, and the side that its cells stand on.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    heading: &'static str,
    right: bool,
}

impl Column {
    /// For words.
    pub const fn left(heading: &'static str) -> Self {
        Self { heading, right: false }
    }

    /// For numbers.
    pub const fn right(heading: &'static str) -> Self {
        Self { heading, right: true }
    }
}

/// What stands in a column of one row. Control characters do not belong here: see [`super::one_line`].
#[derive(Debug, Clone, Default)]
pub struct Cell {
    text: String,
    colour: Colour,
}

impl Cell {
    /// Coloured text.
    pub fn new(text: impl Into<String>, colour: Colour) -> Self {
        Self { text: text.into(), colour }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Colour::Plain)
    }
}

/// A table.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row of as many cells as there are columns.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The lines, two spaces between columns. With a width the last column is cut so that no line is longer.
    pub fn render(&self, width: Option<usize>, style: Style) -> String {
        let mut widths: Vec<usize> = self.columns.iter().map(|c| c.heading.chars().count()).collect();
        for row in &self.rows {
            for (cell, width) in row.iter().zip(&mut widths) {
                *width = (*width).max(cell.text.chars().count());
            }
        }
        if let (Some(all), Some((last, before))) = (width, widths.split_last_mut()) {
            let taken: usize = before.iter().map(|w| w + 2).sum();
            *last = (*last).min(all.saturating_sub(taken).max(10));
        }
        let headings: Vec<Cell> = self.columns.iter().map(|c| Cell::new(c.heading, Colour::Bold)).collect();
        let mut text = String::new();
        for row in std::iter::once(&headings).chain(&self.rows) {
            let mut line = String::new();
            for (i, ((cell, column), width)) in row.iter().zip(&self.columns).zip(&widths).enumerate() {
                if i > 0 {
                    line.push_str("  ");
                }
                let shown = cut(&cell.text, *width);
                let pad = " ".repeat(width - shown.chars().count());
                let painted = style.paint(cell.colour, &shown);
                line.push_str(&if column.right { pad + &painted } else { painted + &pad });
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// At most `width` characters, the last one an ellipsis if something was cut.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut shown: String = text.chars().take(width.saturating_sub(1)).collect();
    shown.push('…');
    shown
}

/// Labels and what they say, one a line, the second aligned. A text of several lines keeps them, indented.
pub fn fields(pairs: &[(&str, String)], style: Style) -> String {
    let width = pairs.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0) + 2;
    let mut text = String::new();
    for (label, said) in pairs {
        let mut lines = said.lines();
        let pad = " ".repeat(width - label.chars().count());
        let first = format!("{}{pad}{}", style.paint(Colour::Dim, label), lines.next().unwrap_or_default());
        text.push_str(first.trim_end());
        text.push('\n');
        for line in lines {
            text.push_str(&" ".repeat(width));
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// `text` in lines of at most `width` characters, broken between words.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new([Column::left("NAME"), Column::right("N"), Column::left("SAID")]);
        table.row(["émile".into(), "7".into(), "".into()]);
        table.row(["x".into(), "1000".into(), "a rather long text".into()]);
        table
    }

    #[test]
    fn columns_are_aligned_and_lines_end_with_their_text() {
        let said = table().render(None, Style::PLAIN);
        assert_eq!(said, "NAME      N  SAID\némile     7\nx      1000  a rather long text\n");
    }

    #[test]
    fn the_last_column_is_cut_to_the_window() {
        let said = table().render(Some(25), Style::PLAIN);
        assert!(said.ends_with("x      1000  a rather lo…\n"), "{said}");
        assert!(said.lines().all(|line| line.chars().count() <= 25), "{said}");
    }

    #[test]
    fn text_is_wrapped_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
    }

    #[test]
    fn fields_of_several_lines_stay_aligned() {
        let said = fields(&[("a", "1".to_owned()), ("long", "x\ny".to_owned())], Style::PLAIN);
        assert_eq!(said, "a     1\nlong  x\n      y\n");
    }
}
