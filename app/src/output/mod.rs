//! What commands say: tables for people, JSON for scripts.
//!
//! 1. The answer goes to standard output; hints and progress go to standard error, so that a pipe carries only the answer.
//! 2. With `--json` the answer is one JSON value: indented in a terminal, one line in a pipe.
//! 3. Colour and cutting lines to the window's width only in a terminal (and no colour where `NO_COLOR` is set).
//! 4. A reader that has seen enough (`| head`) is no failure.

mod age;
mod progress;
mod style;
mod table;
mod view;

pub use age::{ago, bytes, relative, short};
pub use progress::Progress;
pub use style::{Colour, Style, state_colour};
pub use table::{Cell, Column, Table, fields, wrap};
pub use view::{KeyView, List};

use std::io::{ErrorKind, IsTerminal, Write};

use serde::Serialize;

/// Writes text to standard output.
///
/// Errors: whatever keeps it from being written, other than a reader that went away.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Writes one JSON value to standard output.
pub fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let text = match std::io::stdout().is_terminal() {
        true => serde_json::to_string_pretty(value)?,
        false => serde_json::to_string(value)?,
    };
    print(&(text + "\n"))
}

/// Writes a table to standard output, as wide as it may be there.
pub fn print_table(table: &Table) -> anyhow::Result<()> {
    print(&table.render(width(), Style::of_stdout()))
}

/// Tells something beside the answer, on standard error.
pub fn hint(text: &str) {
    // Nobody may be reading; the answer itself is elsewhere.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The columns of the terminal that standard output is; `None` if it is none.
pub fn width() -> Option<usize> {
    let out = std::io::stdout();
    if !out.is_terminal() {
        return None;
    }
    let columns = rustix::termios::tcgetwinsize(&out).ok().map(|size| usize::from(size.ws_col));
    columns.filter(|columns| *columns >= 20)
}

/// Text from outside on one line: what would move the cursor or change the terminal is shown as a space.
pub fn one_line(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn text_from_outside_cannot_steer_the_terminal() {
        assert_eq!(one_line("refused:\r\n\u{1b}[31mred\u{7}"), "refused: [31mred");
    }
}
