//! What a walk over an SPF record comes to, and what it met.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::parse::{Qualifier, SyntaxError};
use crate::dns::DnsError;

/// What a receiver answers (§2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// No record.
    None,
    /// The record says nothing either way.
    Neutral,
    /// The address may send.
    Pass,
    /// It may not.
    Fail,
    /// It probably may not.
    SoftFail,
    /// The DNS did not answer: temporary.
    TempError,
    /// The record is wrong: permanent.
    PermError,
}

impl Outcome {
    /// The word of RFC 8601 §2.7.2.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Neutral => "neutral",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

impl From<Qualifier> for Outcome {
    fn from(qualifier: Qualifier) -> Self {
        match qualifier {
            Qualifier::Pass => Self::Pass,
            Qualifier::Fail => Self::Fail,
            Qualifier::SoftFail => Self::SoftFail,
            Qualifier::Neutral => Self::Neutral,
        }
    }
}

/// What is said of every address that nothing matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// This, by `all`.
    All(Qualifier),
    /// Nothing: neutral (§4.7).
    Nothing,
}

/// What was met on the way.
#[derive(Debug, Clone)]
pub struct Walked {
    /// What a receiver answers for the address.
    pub result: Outcome,
    /// The term that decided, or what was wrong.
    pub because: String,
    /// The records of the name itself: there should be one.
    pub records: Vec<String>,
    /// Terms that asked the DNS.
    pub lookups: usize,
    /// The names that were answered with nothing.
    pub voids: Vec<String>,
    /// The `mx` with the most hosts, and how many.
    pub widest_mx: (String, usize),
    /// Names that lead back to themselves.
    pub circles: Vec<String>,
    /// Names whose record uses `ptr`.
    pub ptr: Vec<String>,
    /// What lets in everybody: `+all`, or a network as wide as the world.
    pub open: Vec<String>,
    /// Records that cannot be read, and the names that they stand at.
    pub wrong: Vec<(String, SyntaxError)>,
    /// Names that are included or redirected to and have no record, or more than one.
    pub missing: Vec<String>,
    /// All names that are included or redirected to.
    pub included: BTreeSet<String>,
    /// Those of them whose match lets in: no `-`, `~` or `?` stands on the way to them.
    pub lets_in: BTreeSet<String>,
    /// Addresses that are let in: the first of each network, and hosts. Not all of them, but some of whatever is named.
    pub named: Vec<IpAddr>,
    /// What is said of everybody else.
    pub ending: Ending,
    /// The first question that was not answered.
    pub unanswered: Option<DnsError>,
}

impl Walked {
    /// Before the first step.
    pub(super) fn nothing() -> Self {
        Self {
            result: Outcome::None,
            because: String::new(),
            records: Vec::new(),
            lookups: 0,
            voids: Vec::new(),
            widest_mx: (String::new(), 0),
            circles: Vec::new(),
            ptr: Vec::new(),
            open: Vec::new(),
            wrong: Vec::new(),
            missing: Vec::new(),
            included: BTreeSet::new(),
            lets_in: BTreeSet::new(),
            named: Vec::new(),
            ending: Ending::Nothing,
            unanswered: None,
        }
    }

    /// The first question that the DNS left open for now.
    #[must_use]
    pub fn open_question(&self) -> Option<&DnsError> {
        self.unanswered.as_ref().filter(|error| matches!(error, DnsError::Temporary { .. }))
    }
}
