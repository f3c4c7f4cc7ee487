//! Why a mail goes no further on its path: what a step says, and what becomes of the mail.

use std::time::Duration;

/// A step's word that stops a mail before the relay. The text is for people: it stands in the ledger.
///
/// | halt | the mail | its job |
/// |---|---|---|
/// | `Held` | `held`, until its domain is mended, what it lacks is there, or a person releases it | completed |
/// | `Suppressed` | `suppressed` | completed |
/// | `Expired` | `expired` | completed |
/// | `CalledOff` | `cancelled` | completed |
/// | `Later` | `deferred` | snoozes |
/// | `NotYet` | `deferred`; the attempt never was: it is not counted and leaves no line in its history | snoozes |
/// | `Unsendable` | `failed` | dead: redriven after a repair, it takes the mail up again |
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Halt {
    /// Its domain would not authenticate, or its sender or template is not there.
    Held(String),
    /// The recipient must not be written to.
    Suppressed(String),
    /// It is worth nothing any more.
    Expired(String),
    /// What it would say is no longer so.
    CalledOff(String),
    /// Something that is needed to decide is away.
    Later {
        /// What is away.
        why: String,
        /// When to look again.
        wait: Duration,
    },
    /// Its turn has not come.
    NotYet {
        /// Whose turn it is to give.
        why: String,
        /// When to ask again.
        wait: Duration,
    },
    /// It cannot be made: the template, its data or the address is at fault.
    Unsendable(String),
}
