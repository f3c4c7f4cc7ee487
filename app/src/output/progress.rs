//! How far a long piece of work is, on standard error: one line that is written over in a terminal, a line now and then
//! elsewhere, nothing for what is over at once.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use tokio::time::Instant;

/// How often the line is written in a terminal, and elsewhere.
const OFTEN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A piece of work.
#[derive(Debug)]
pub struct Progress {
    what: String,
    total: u64,
    terminal: bool,
    said: Instant,
    shown: bool,
}

impl Progress {
    /// Work on about `total` things, told as `what`: `jobs retried`.
    pub fn new(what: impl Into<String>, total: u64) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { what: what.into(), total, terminal, said: Instant::now(), shown: false }
    }

    /// `done` of them are done.
    pub fn at(&mut self, done: u64) {
        let pause = if self.terminal { OFTEN.0 } else { OFTEN.1 };
        if self.said.elapsed() < pause {
            return;
        }
        self.said = Instant::now();
        let total = self.total.max(done);
        let percent = (done * 100).checked_div(total).unwrap_or(100);
        let line = format!("{done} of {total} {} ({percent} %)", self.what);
        let mut err = std::io::stderr();
        let _ = if self.terminal { write!(err, "\r\u{1b}[K{line}") } else { writeln!(err, "{line}") };
        let _ = err.flush();
        self.shown = true;
    }
}

impl Drop for Progress {
    /// Takes the line away, so that the answer stands alone.
    fn drop(&mut self) {
        if self.shown && self.terminal {
            let _ = write!(std::io::stderr(), "\r\u{1b}[K");
        }
    }
}
