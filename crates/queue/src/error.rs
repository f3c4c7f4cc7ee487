//! What can go wrong at the seam, told apart by what the caller should do.

use job::InvalidName;

/// A broker could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// It passes by itself (restart, failover, full memory, a lost connection): wait and call again; nothing that was
    /// acknowledged is lost.
    #[error("the queue is unavailable: {0}")]
    Unavailable(String),
    /// The call can never succeed as it is: a bad cursor, a limit out of range.
    #[error("{0}")]
    Invalid(String),
    /// The backend answered what it cannot answer: a defect or a foreign hand in the data.
    #[error("the queue holds something unexpected: {0}")]
    Corrupt(String),
}

impl BrokerError {
    /// Whether calling again later can succeed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<InvalidName> for BrokerError {
    fn from(e: InvalidName) -> Self {
        Self::Invalid(e.to_string())
    }
}
