//! Asking the DNS, with the three answers that mail must tell apart: there it is, there is none, nobody can say just now.
//!
//! 1. [`Dns`] is a resolver over the name servers of the system or over given ones (development and tests have their own,
//!    with real packets). Nothing is cached between two checks: a record that was mended counts at once.
//! 2. One check asks through one [`Lookups`]: each question goes out once, and after a bounded time no further one does.
//! 3. SERVFAIL, REFUSED, silence and broken packets are [`DnsError::Temporary`]. NXDOMAIN and "no such data" are answers.

mod lookups;
mod resolver;

use std::fmt;

pub use lookups::Lookups;
pub use resolver::Dns;

/// What a question was answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<T> {
    /// The records of the asked type, at the end of all aliases.
    pub records: Vec<T>,
    /// Whether the name exists at all; `false` is NXDOMAIN (RFC 8020).
    pub exists: bool,
    /// The names that aliases (CNAME) led to, in order; empty where there is none.
    pub aliases: Vec<String>,
}

impl<T> Found<T> {
    /// Whether the lookup is void in the sense of RFC 7208 §4.6.4: no such name, or no such data.
    #[must_use]
    pub fn is_void(&self) -> bool {
        self.records.is_empty()
    }

    /// The same with other records.
    #[must_use]
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Found<U> {
        Found { records: self.records.into_iter().map(f).collect(), exists: self.exists, aliases: self.aliases }
    }
}

/// A question that was not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// SERVFAIL, REFUSED, silence, or no time left: transient, the same question may be answered later.
    #[error("{kind} of {name}: {why}")]
    Temporary {
        /// The name that was asked for.
        name: String,
        /// The type that was asked for.
        kind: Kind,
        /// What happened.
        why: String,
    },
    /// No name that can be asked for: permanent.
    #[error("{0:?} is not a domain name")]
    Name(String),
}

/// The types that mail asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Mail exchangers.
    Mx,
    /// Texts.
    Txt,
    /// Reverse names.
    Ptr,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Mx => "MX",
            Self::Txt => "TXT",
            Self::Ptr => "PTR",
        })
    }
}

/// The resolver could not be set up: permanent, the configuration or the system is at fault.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the resolver cannot be set up: {0}")]
pub struct DnsSetupError(pub(crate) String);

/// A mail exchanger.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exchanger {
    /// The lowest is tried first.
    pub preference: u16,
    /// The host, without a final dot; empty for the null MX (RFC 7505).
    pub host: String,
}
