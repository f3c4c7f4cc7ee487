//! What is wrong with a configuration, told so that the reader can put it right without the manual.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// Why no configuration came out. All of these are permanent: the same input fails again.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file named by `--config` cannot be read.
    #[error("configuration file {}: {source}", path.display())]
    File {
        /// The file as it was named.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("configuration file {} is not valid TOML: {message}", path.display())]
    Syntax {
        /// The file as it was named.
        path: PathBuf,
        /// The parser's message, with line and column.
        message: String,
    },
    /// Keys that do not exist or values that cannot be used; never empty.
    #[error("{}", ListOf(.0))]
    Keys(Vec<Problem>),
}

impl ConfigError {
    /// The problems by key; empty when the file itself could not be read.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Keys(problems) => problems,
            Self::File { .. } | Self::Syntax { .. } => &[],
        }
    }
}

/// One key that cannot be used as it is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, dotted: `queue.lease`.
    pub key: String,
    /// What it was set to, with passwords masked; `None` when the key itself is the problem.
    pub value: Option<String>,
    /// What is wrong, continuing a sentence that begins with the key.
    pub reason: String,
    /// Where it was set: a file, an environment variable.
    pub set_by: Option<String>,
    /// A line that works.
    pub example: Option<String>,
}

impl Problem {
    pub(crate) fn new(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { key: key.into(), value: None, reason: reason.into(), set_by: None, example: None }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.key)?;
        if let Some(value) = &self.value {
            write!(f, " = {value}")?;
        }
        write!(f, ": {}", self.reason)?;
        if let Some(set_by) = &self.set_by {
            write!(f, "\n    set by: {set_by}")?;
        }
        if let Some(example) = &self.example {
            write!(f, "\n    example: {example}")?;
        }
        Ok(())
    }
}

struct ListOf<'a>(&'a [Problem]);

impl fmt::Display for ListOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used")?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}
