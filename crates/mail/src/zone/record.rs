//! One record: a name, how long it may be cached, and its data.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::ZoneError;

const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// An absolute domain name, in lower case, kept without its final dot and printed with it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DnsName(String);

impl DnsName {
    /// Parses a name; a final dot may be there or not. Labels are letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// [`ZoneError::Name`].
    pub fn parse(text: &str) -> Result<Self, ZoneError> {
        let name = text.strip_suffix('.').unwrap_or(text);
        let fits = |label: &str| {
            (1..=MAX_LABEL).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        if name.len() > MAX_NAME || !name.split('.').all(fits) {
            return Err(ZoneError::Name(text.to_owned()));
        }
        Ok(Self(name.to_ascii_lowercase()))
    }

    /// Without the final dot.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `other` or a name under it.
    #[must_use]
    pub fn is_at_or_below(&self, other: &DnsName) -> bool {
        self.0.strip_suffix(&other.0).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.", self.0)
    }
}

/// A resource record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it stands.
    pub name: DnsName,
    /// Seconds that it may be cached.
    pub ttl: u32,
    /// Type and data.
    pub data: RecordData,
}

/// The record types that mail needs, and the two that make a zone a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordData {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// A mail exchanger.
    Mx {
        /// The lowest is tried first.
        preference: u16,
        /// The host that takes the mail.
        exchange: DnsName,
    },
    /// Text of any length; strings of at most 255 octets each are made of it on the wire (RFC 7208 §3.3 and RFC 6376
    /// §3.6.2.2 join them again without blanks).
    Txt(String),
    /// Another name for this one.
    Cname(DnsName),
    /// A reverse name.
    Ptr(DnsName),
    /// A name server of the zone.
    Ns(DnsName),
    /// The start of authority.
    Soa {
        /// The primary name server.
        primary: DnsName,
        /// The person responsible, as a name.
        contact: DnsName,
        /// Rises with every change.
        serial: u32,
        /// Seconds that an answer "there is none" may be cached (RFC 2308 §4).
        minimum: u32,
    },
}

impl RecordData {
    /// The type as master files spell it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            RecordData::A(_) => "A",
            RecordData::Aaaa(_) => "AAAA",
            RecordData::Mx { .. } => "MX",
            RecordData::Txt(_) => "TXT",
            RecordData::Cname(_) => "CNAME",
            RecordData::Ptr(_) => "PTR",
            RecordData::Ns(_) => "NS",
            RecordData::Soa { .. } => "SOA",
        }
    }
}
