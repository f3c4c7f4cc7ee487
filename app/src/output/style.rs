//! Colour, where a terminal shows it and nobody asked for none (<https://no-color.org>).

use std::io::IsTerminal;

use job::JobState;

/// A colour of the sixteen that every terminal has, so that the user's own palette decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colour {
    /// As the rest.
    #[default]
    Plain,
    /// Headings.
    Bold,
    /// Of less weight.
    Dim,
    /// Well.
    Green,
    /// To be looked at.
    Yellow,
    /// Wrong.
    Red,
    /// Going on.
    Cyan,
}

/// Whether there is colour.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    colour: bool,
}

impl Style {
    /// Without colour.
    #[cfg(test)]
    pub const PLAIN: Self = Self { colour: false };

    /// As standard output wants it.
    pub fn of_stdout() -> Self {
        let unset = |name| std::env::var_os(name).is_none_or(|value| value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { colour: std::io::stdout().is_terminal() && unset("NO_COLOR") && !dumb }
    }

    /// `text` in `colour`.
    pub fn paint(self, colour: Colour, text: &str) -> String {
        let code = match colour {
            Colour::Plain => return text.to_owned(),
            Colour::Bold => 1,
            Colour::Dim => 2,
            Colour::Green => 32,
            Colour::Yellow => 33,
            Colour::Red => 31,
            Colour::Cyan => 36,
        };
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// The colour of a job's state.
pub fn state_colour(state: JobState) -> Colour {
    match state {
        JobState::Scheduled | JobState::Available => Colour::Plain,
        JobState::Running => Colour::Cyan,
        JobState::Completed => Colour::Green,
        JobState::Dead => Colour::Red,
        JobState::Cancelled | JobState::Expired => Colour::Yellow,
    }
}
