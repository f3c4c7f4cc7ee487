//! Time zones by their IANA name, from the database compiled into the binary.

use std::fmt;
use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// There is no zone of that name. Permanent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone {0:?}: an IANA name is expected, such as Europe/Berlin or UTC")]
pub struct UnknownZone(pub String);

/// A time zone with its name as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    pub(crate) rules: TimeZone,
}

impl Zone {
    /// The zone of that name. `Etc/Unknown` and `Factory` stand for no clocks anywhere.
    ///
    /// # Errors
    /// [`UnknownZone`].
    pub fn parse(name: &str) -> Result<Self, UnknownZone> {
        let found = ZONES.get(name).ok().filter(|rules| !rules.is_unknown());
        let rules = found.filter(|_| !name.eq_ignore_ascii_case("Factory"));
        let rules = rules.ok_or_else(|| UnknownZone(name.chars().take(100).collect()))?;
        Ok(Self { name: rules.iana_name().unwrap_or(name).to_owned(), rules })
    }

    /// The zone whose clocks never change.
    #[must_use]
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), rules: TimeZone::UTC }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `at` as the clocks of the zone show it, with offset and name: `2026-11-25T04:00:00-05:00[America/New_York]`
    /// (RFC 9557).
    #[must_use]
    pub fn local(&self, at: Timestamp) -> String {
        at.to_zoned(self.rules.clone()).to_string()
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_found_whatever_its_case_and_shows_local_time() {
        let zone = Zone::parse("america/vancouver").unwrap();
        assert_eq!(zone.name(), "America/Vancouver");
        // Vancouver keeps its summer time from November 2026 on.
        assert_eq!(zone.local("2026-12-01T12:00:00Z".parse().unwrap()), "2026-12-01T05:00:00-07:00[America/Vancouver]");
        assert!(Zone::parse("Mars/Olympus").unwrap_err().to_string().contains("Mars/Olympus"));
        assert!(
            Zone::parse("Etc/Unknown").is_err() && Zone::parse("factory").is_err() && Zone::parse("Etc/UTC").is_ok()
        );
    }
}
