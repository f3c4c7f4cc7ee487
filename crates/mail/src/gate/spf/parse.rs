//! Reading an SPF record: directives and modifiers, in order (RFC 7208 §4.6.1, §12).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::macros;

/// A record that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What is tried, in order.
    pub directives: Vec<Directive>,
    /// Where to go on if nothing matches.
    pub redirect: Option<String>,
}

/// A mechanism and what follows from its match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// What follows from a match.
    pub qualifier: Qualifier,
    /// What is tried.
    pub mechanism: Mechanism,
    /// As it is written.
    pub text: String,
}

/// What follows from a match (§4.6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qualifier {
    /// `+`, or nothing.
    Pass,
    /// `-`
    Fail,
    /// `~`
    SoftFail,
    /// `?`
    Neutral,
}

/// What is tried (§5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mechanism {
    /// Everything.
    All,
    /// Whatever passes there.
    Include(String),
    /// The addresses of a name, to so many bits of either family.
    A(Option<String>, u8, u8),
    /// The addresses of the mail exchangers of a name.
    Mx(Option<String>, u8, u8),
    /// Whatever has a reverse name below it; not to be used (§5.5).
    Ptr(Option<String>),
    /// A network.
    Ip4(Ipv4Addr, u8),
    /// A network.
    Ip6(Ipv6Addr, u8),
    /// Whatever makes a name that has an address.
    Exists(String),
}

/// A record that cannot be read. Receivers answer `permerror`: permanent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{term:?}: {why}")]
pub struct SyntaxError {
    /// The part that is at fault.
    pub term: String,
    /// What is wrong with it.
    pub why: String,
}

impl Record {
    /// Reads `v=spf1 …`.
    ///
    /// # Errors
    /// The first term that is wrong.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let mut record = Self { directives: Vec::new(), redirect: None };
        let mut explained = false;
        for term in text.split(' ').filter(|term| !term.is_empty()).skip(1) {
            let wrong = |why: String| SyntaxError { term: term.to_owned(), why };
            if let Some(c) = term.chars().find(|c| !c.is_ascii_graphic()) {
                return Err(wrong(format!("{c:?} may not stand in a record")));
            }
            if let Some((name, value)) = modifier(term) {
                macros::check(value).map_err(wrong)?;
                let twice = match name.to_ascii_lowercase().as_str() {
                    "redirect" if value.is_empty() => return Err(wrong("names no domain".to_owned())),
                    "redirect" => record.redirect.replace(value.to_owned()).is_some(),
                    "exp" => std::mem::replace(&mut explained, true),
                    _ => false,
                };
                if twice {
                    return Err(wrong("occurs twice (§6)".to_owned()));
                }
                continue;
            }
            record.directives.push(directive(term).map_err(wrong)?);
        }
        Ok(record)
    }

    /// What follows from its `all`.
    #[must_use]
    pub fn all(&self) -> Option<Qualifier> {
        self.directives.iter().find(|d| d.mechanism == Mechanism::All).map(|d| d.qualifier)
    }
}

/// `name=value`, where the name is one of a modifier.
fn modifier(term: &str) -> Option<(&str, &str)> {
    let (name, value) = term.split_once('=')?;
    let fits = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    fits.then_some((name, value))
}

fn directive(term: &str) -> Result<Directive, String> {
    let (qualifier, rest) = match term.as_bytes().first() {
        Some(b'+') => (Qualifier::Pass, &term[1..]),
        Some(b'-') => (Qualifier::Fail, &term[1..]),
        Some(b'~') => (Qualifier::SoftFail, &term[1..]),
        Some(b'?') => (Qualifier::Neutral, &term[1..]),
        _ => (Qualifier::Pass, term),
    };
    Ok(Directive { qualifier, mechanism: mechanism(rest)?, text: term.to_owned() })
}

fn mechanism(text: &str) -> Result<Mechanism, String> {
    let end = text.find([':', '/']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let argument = rest.strip_prefix(':');
    let needed = || match argument {
        Some(domain) if !domain.is_empty() => macros::check(domain).map(|()| domain.to_owned()),
        _ => Err("names no domain".to_owned()),
    };
    let network = || argument.ok_or_else(|| "names no network".to_owned());
    Ok(match name.to_ascii_lowercase().as_str() {
        "all" if rest.is_empty() => Mechanism::All,
        "all" => return Err("takes no argument".to_owned()),
        "include" => Mechanism::Include(needed()?),
        "exists" => Mechanism::Exists(needed()?),
        "a" => {
            let (domain, v4, v6) = domain_and_lengths(rest)?;
            Mechanism::A(domain, v4, v6)
        }
        "mx" => {
            let (domain, v4, v6) = domain_and_lengths(rest)?;
            Mechanism::Mx(domain, v4, v6)
        }
        "ptr" => match argument {
            None if rest.is_empty() => Mechanism::Ptr(None),
            _ => Mechanism::Ptr(Some(needed()?)),
        },
        "ip4" => {
            let (address, length) = network()?.split_once('/').unwrap_or((network()?, "32"));
            let address = address.parse().map_err(|_| format!("{address:?} is no IPv4 address"))?;
            Mechanism::Ip4(address, prefix_length(length, 32)?)
        }
        "ip6" => {
            let (address, length) = network()?.split_once('/').unwrap_or((network()?, "128"));
            let address = address.parse().map_err(|_| format!("{address:?} is no IPv6 address"))?;
            Mechanism::Ip6(address, prefix_length(length, 128)?)
        }
        _ => return Err("is no mechanism of RFC 7208".to_owned()),
    })
}

/// `:domain/24//64`, each part optional (§5.3).
fn domain_and_lengths(rest: &str) -> Result<(Option<String>, u8, u8), String> {
    // A slash can also be a delimiter inside a macro: only what follows the last `}` is a length.
    let macros_end = rest.rfind('}').map_or(0, |at| at + 1);
    let slash = rest[macros_end..].find('/').map_or(rest.len(), |at| macros_end + at);
    let (domain, lengths) = rest.split_at(slash);
    let domain = match domain.strip_prefix(':') {
        Some("") => return Err("names no domain".to_owned()),
        Some(domain) => {
            macros::check(domain)?;
            Some(domain.to_owned())
        }
        None => None,
    };
    let (v4, v6) = match lengths.split_once("//") {
        Some((v4, v6)) => (v4, Some(v6)),
        None => (lengths, None),
    };
    let v4 = v4.strip_prefix('/').map_or(Ok(32), |length| prefix_length(length, 32))?;
    let v6 = v6.map_or(Ok(128), |length| prefix_length(length, 128))?;
    Ok((domain, v4, v6))
}

fn prefix_length(text: &str, most: u8) -> Result<u8, String> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let length = text.parse().ok().filter(|length| plain && *length <= most);
    length.ok_or_else(|| format!("/{text} is no length of 0 to {most}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn only(term: &str) -> Result<Mechanism, SyntaxError> {
        Record::parse(&format!("v=spf1 {term}")).map(|mut record| record.directives.remove(0).mechanism)
    }

    #[test]
    fn every_mechanism_is_read() {
        let domain = || Some("x.test".to_owned());
        assert_eq!(only("a").unwrap(), Mechanism::A(None, 32, 128));
        assert_eq!(only("a/24").unwrap(), Mechanism::A(None, 24, 128));
        assert_eq!(only("a:x.test/24//64").unwrap(), Mechanism::A(domain(), 24, 64));
        assert_eq!(only("MX//96").unwrap(), Mechanism::Mx(None, 32, 96));
        assert_eq!(only("ip4:192.0.2.0/24").unwrap(), Mechanism::Ip4(Ipv4Addr::new(192, 0, 2, 0), 24));
        assert_eq!(only("ip6:2001:db8::/32").unwrap(), Mechanism::Ip6("2001:db8::".parse().unwrap(), 32));
        assert_eq!(only("ptr").unwrap(), Mechanism::Ptr(None));
        assert_eq!(only("exists:%{i}.x.test").unwrap(), Mechanism::Exists("%{i}.x.test".to_owned()));
        assert_eq!(only("a:%{d1r/}.x.test/8").unwrap(), Mechanism::A(Some("%{d1r/}.x.test".to_owned()), 8, 128));
    }

    #[test]
    fn qualifiers_and_modifiers_are_read() {
        let record = Record::parse("v=spf1  ?include:a.test  foo=bar exp=e.test ~all redirect=r.test").unwrap();
        assert_eq!(record.directives[0].qualifier, Qualifier::Neutral);
        assert_eq!((record.all(), record.redirect.as_deref()), (Some(Qualifier::SoftFail), Some("r.test")));
        assert_eq!(Record::parse("v=spf1").unwrap(), Record { directives: vec![], redirect: None });
    }

    proptest! {
        #[test]
        fn whatever_is_published_is_read_or_refused_without_a_panic(text in "(v=spf1 )?[ -~é]{0,80}") {
            let record = Record::parse(&text);
            prop_assert!(record.is_ok() || record.is_err_and(|error| !error.why.is_empty()));
        }

        #[test]
        fn a_network_is_read_back_as_it_was_written(octets in any::<[u8; 4]>(), bits in 0u8..=32) {
            let address = Ipv4Addr::from(octets);
            prop_assert_eq!(only(&format!("ip4:{address}/{bits}")).unwrap(), Mechanism::Ip4(address, bits));
        }
    }

    #[test]
    fn one_bad_term_is_named() {
        for (term, why) in [
            ("ipv4:192.0.2.1", "no mechanism"),
            ("ip4:192.0.2.300", "no IPv4 address"),
            ("ip4", "names no network"),
            ("ip4:192.0.2.0/33", "no length of 0 to 32"),
            ("ip4:192.0.2.0/08", "no length"),
            ("include:", "names no domain"),
            ("include", "names no domain"),
            ("all:x", "takes no argument"),
            ("a:", "names no domain"),
            ("mx/129", "no length"),
            ("exists:%{z}.test", "no macro"),
            ("include:%(d)", "%"),
            ("redirect=", "names no domain"),
            ("all;", "no mechanism"),
            ("a\u{a0}", "may not stand"),
        ] {
            let error = Record::parse(&format!("v=spf1 mx {term}")).unwrap_err();
            assert!(error.why.contains(why), "{term}: {error}");
            assert_eq!(error.term, term);
        }
        assert!(Record::parse("v=spf1 redirect=a.test redirect=b.test").unwrap_err().why.contains("twice"));
        assert!(Record::parse("v=spf1 exp=a.test exp=b.test").unwrap_err().why.contains("twice"));
    }
}
