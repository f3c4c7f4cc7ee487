//! One run of one job, on its way through the layers, and the ways in which it can end.

use std::convert::Infallible;

use futures::future::BoxFuture;
use job::{Outcome, Stop};
use queue::consumer::Held;

/// A job about to run: the request that the layers pass inwards.
#[derive(Debug)]
pub struct Run {
    /// The job, its lease, and the handle to stop it.
    pub held: Held,
}

impl Run {
    /// The job's kind; `?` if its bytes cannot be read.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.held.leased.envelope.as_ref().map_or("?", |e| e.kind.as_str())
    }
}

/// How a run ended: the answer that the layers pass outwards.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// The job's author said how.
    Said(Outcome),
    /// It took longer than its timeout.
    TimedOut,
    /// It panicked, with this message.
    Panicked(String),
    /// It was told to stop.
    Stopped(Stop),
    /// This worker knows no such kind, or the envelope is of a newer release; for this reason.
    Unknown(String),
    /// The bytes will never be readable; for this reason.
    Unreadable(String),
}

/// What a layer's service answers with.
pub type Ending = BoxFuture<'static, Result<Ended, Infallible>>;
