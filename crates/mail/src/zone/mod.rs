//! A DNS zone of our own, served with real packets: for `postrider dev` and for tests.
//!
//! Receivers decide by DNS whether a mail is genuine, so development must have DNS too, or the part that breaks in
//! production is the part that nobody ever ran. A [`Zone`] is a list of records that prints and parses as master-file
//! text; [`DnsServer`] answers for it on loopback over UDP and TCP; [`dev_zone`] has what the development domain needs.

mod answer;
mod dev;
mod record;
mod server;
mod text;

use std::fmt;

pub use dev::{DEV_DOMAIN, bounce_domain, dev_zone, ehlo_name};
pub use record::{DnsName, Record, RecordData};
pub use server::{DnsFault, DnsServer};

/// Why a zone or a name is not usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ZoneError {
    /// Not a domain name of LDH labels and underscores, at most 253 octets.
    #[error("{0:?} is not a domain name")]
    Name(String),
    /// A line of master-file text that cannot be understood.
    #[error("line {line}: {reason}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// Records in the order in which they were added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Zone {
    records: Vec<Record>,
}

impl Zone {
    /// A zone without records.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Parses master-file text (RFC 1035 §5.1) as [`Display`](fmt::Display) prints it: absolute names on every line, no
    /// `@`, no `$` directives, no parentheses. `;` starts a comment.
    ///
    /// # Errors
    /// [`ZoneError::Line`] with the number of the line.
    pub fn parse(text: &str) -> Result<Self, ZoneError> {
        text::parse(text).map(|records| Self { records })
    }

    /// Adds a record.
    pub fn push(&mut self, record: Record) {
        self.records.push(record);
    }

    /// Adds a record with a time to live of 60 s.
    ///
    /// # Errors
    /// [`ZoneError::Name`].
    pub fn add(&mut self, name: &str, data: RecordData) -> Result<(), ZoneError> {
        self.push(Record { name: DnsName::parse(name)?, ttl: 60, data });
        Ok(())
    }

    /// Removes every record of `name` that `which` says yes to.
    pub fn remove(&mut self, name: &DnsName, which: impl Fn(&RecordData) -> bool) {
        self.records.retain(|record| record.name != *name || !which(&record.data));
    }

    /// All records.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The records at `name`.
    pub fn at<'a>(&'a self, name: &'a DnsName) -> impl Iterator<Item = &'a Record> {
        self.records.iter().filter(move |record| record.name == *name)
    }

    /// Whether `name` exists: has records, or is the parent of a name that has (RFC 8020).
    #[must_use]
    pub fn exists(&self, name: &DnsName) -> bool {
        self.records.iter().any(|record| record.name.is_at_or_below(name))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for record in &self.records {
            writeln!(f, "{record}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
