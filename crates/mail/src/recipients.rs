//! To whom mail may leave at all: a test installation must not write to real people.
//!
//! 1. `mail.allow_recipients` names addresses (`ana@example.com`) and domains (`*@example.com`, `*@*.example.com`). Without
//!    it everybody is allowed, or nobody where there is a `mail.redirect_to`.
//! 2. Mail to anybody else goes to `mail.redirect_to`, unchanged but for its envelope and a header that says so; without
//!    that it does not leave.

use std::str::FromStr;

use crate::address::EmailAddress;

/// A pattern of addresses; case does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecipientPattern {
    /// `*`
    Everybody,
    /// `ana@example.com`
    Address(String),
    /// `*@example.com`
    Domain(String),
    /// `*@*.example.com`: the domains below it.
    Below(String),
}

/// Not a pattern. Permanent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be *, an address, *@domain or *@*.domain")]
pub struct BadPattern;

impl FromStr for RecipientPattern {
    type Err = BadPattern;

    fn from_str(text: &str) -> Result<Self, BadPattern> {
        let text = text.trim();
        // A domain is one if an address at it is one.
        let domain = |domain: &str| {
            EmailAddress::parse(&format!("a@{domain}")).map(|a| a.domain().to_owned()).map_err(|_| BadPattern)
        };
        match text.strip_prefix("*@") {
            _ if text == "*" => Ok(Self::Everybody),
            Some(rest) => match rest.strip_prefix("*.") {
                Some(below) => Ok(Self::Below(format!(".{}", domain(below)?))),
                None => Ok(Self::Domain(domain(rest)?)),
            },
            // A star is a letter of some addresses (RFC 5322 §3.2.3), and never what is meant here.
            None if text.contains('*') => Err(BadPattern),
            None => EmailAddress::parse(text).map(|a| Self::Address(a.as_str().to_lowercase())).map_err(|_| BadPattern),
        }
    }
}

impl RecipientPattern {
    /// Whether it covers `address`.
    #[must_use]
    pub fn covers(&self, address: &EmailAddress) -> bool {
        match self {
            Self::Everybody => true,
            Self::Address(known) => *known == address.as_str().to_lowercase(),
            Self::Domain(domain) => domain == address.domain(),
            Self::Below(end) => address.domain().ends_with(end.as_str()),
        }
    }
}

/// Where a mail may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// To its recipient.
    Recipient,
    /// To this address in place of it.
    Redirected(EmailAddress),
    /// Nowhere.
    Nowhere,
}

/// The rule of an installation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecipientRule {
    /// Who is written to; none: everybody, or nobody if there is `redirect_to`.
    pub allow: Option<Vec<RecipientPattern>>,
    /// Who gets all other mail.
    pub redirect_to: Option<EmailAddress>,
}

impl RecipientRule {
    /// Where a mail to `address` goes.
    #[must_use]
    pub fn destination(&self, address: &EmailAddress) -> Destination {
        let allowed = match &self.allow {
            Some(patterns) => patterns.iter().any(|pattern| pattern.covers(address)),
            None => self.redirect_to.is_none(),
        };
        match &self.redirect_to {
            _ if allowed => Destination::Recipient,
            Some(other) => Destination::Redirected(other.clone()),
            None => Destination::Nowhere,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> EmailAddress {
        EmailAddress::parse(text).unwrap()
    }

    fn rule(allow: Option<&[&str]>, redirect_to: Option<&str>) -> RecipientRule {
        RecipientRule {
            allow: allow.map(|all| all.iter().map(|p| p.parse().unwrap()).collect()),
            redirect_to: redirect_to.map(address),
        }
    }

    #[test]
    fn patterns_cover_addresses_domains_and_what_is_below_them() {
        let covers = |pattern: &str, who: &str| pattern.parse::<RecipientPattern>().unwrap().covers(&address(who));
        assert!(covers("Ana@Example.com", "ana@example.com"));
        assert!(covers("*@example.com", "ana@EXAMPLE.com") && !covers("*@example.com", "ana@sub.example.com"));
        assert!(covers("*@*.example.com", "ana@sub.example.com") && !covers("*@*.example.com", "ana@example.com"));
        assert!(!covers("*@example.com", "ana@badexample.com") && !covers("*@*.example.com", "ana@badexample.com"));
        assert!(covers("*", "ana@anywhere.example"));
        for bad in ["", "example.com", "*@", "*example.com", "a*@example.com", "*@exa mple.com", "a@b@c"] {
            assert_eq!(bad.parse::<RecipientPattern>(), Err(BadPattern), "{bad}");
        }
    }

    #[test]
    fn without_a_rule_everybody_is_written_to() {
        assert_eq!(rule(None, None).destination(&address("a@b.example")), Destination::Recipient);
    }

    #[test]
    fn a_redirection_alone_takes_everything_and_with_a_list_the_rest() {
        let other = Destination::Redirected(address("team@example.com"));
        assert_eq!(rule(None, Some("team@example.com")).destination(&address("a@b.example")), other);
        let both = rule(Some(&["*@example.com"]), Some("team@example.com"));
        assert_eq!(both.destination(&address("ana@example.com")), Destination::Recipient);
        assert_eq!(both.destination(&address("ana@real.example")), other);
        let list = rule(Some(&["*@example.com"]), None);
        assert_eq!(list.destination(&address("ana@real.example")), Destination::Nowhere);
        assert_eq!(rule(Some(&[]), None).destination(&address("ana@real.example")), Destination::Nowhere);
    }
}
