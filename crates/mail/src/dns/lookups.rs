//! The questions of one check: each is asked once, and all together have a bounded time.
//!
//! The rules of a domain ask the same names again and again (an SPF record is walked for each address that mail leaves
//! from). Asking once makes a check quick, and makes all of its rules see the same zone.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hickory_resolver::proto::rr::RData;
use tokio::time::{Instant, timeout_at};

use super::resolver::plain;
use super::{Dns, DnsError, Exchanger, Found, Kind};

type Answer = Result<Found<RData>, DnsError>;

/// Asks, remembers, and stops asking when its time is over.
pub struct Lookups {
    dns: Dns,
    until: Instant,
    answers: Mutex<HashMap<(String, Kind), Answer>>,
}

impl Lookups {
    pub(super) fn new(dns: Dns, patience: Duration) -> Self {
        Self { dns, until: Instant::now() + patience, answers: Mutex::default() }
    }

    /// The resolver behind it.
    #[must_use]
    pub fn dns(&self) -> &Dns {
        &self.dns
    }

    /// The texts of `name`, each with its strings joined as RFC 7208 §3.3 and RFC 6376 §3.6.2.2 have it. What is not
    /// UTF-8 is replaced by `�`: such a text is none of ours.
    ///
    /// # Errors
    /// [`DnsError`].
    pub async fn txt(&self, name: &str) -> Result<Found<String>, DnsError> {
        let found = self.ask(name, Kind::Txt).await?;
        Ok(found.map(|data| match data {
            RData::TXT(txt) => String::from_utf8_lossy(&txt.txt_data.concat()).into_owned(),
            _ => String::new(),
        }))
    }

    /// The mail exchangers of `name`, the preferred first.
    ///
    /// # Errors
    /// [`DnsError`].
    pub async fn mx(&self, name: &str) -> Result<Found<Exchanger>, DnsError> {
        let mut found = self.ask(name, Kind::Mx).await?.map(|data| match data {
            RData::MX(mx) => Exchanger { preference: mx.preference, host: plain(&mx.exchange) },
            _ => Exchanger { preference: u16::MAX, host: String::new() },
        });
        found.records.sort();
        Ok(found)
    }

    /// The addresses of `name` of one family.
    ///
    /// # Errors
    /// [`DnsError`].
    pub async fn addresses(&self, name: &str, v6: bool) -> Result<Found<IpAddr>, DnsError> {
        let found = self.ask(name, if v6 { Kind::Aaaa } else { Kind::A }).await?;
        let (exists, aliases) = (found.exists, found.aliases);
        let records = found.records.into_iter().filter_map(|data| match data {
            RData::A(a) => Some(IpAddr::V4(a.0)),
            RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
            _ => None,
        });
        Ok(Found { records: records.collect(), exists, aliases })
    }

    /// The addresses of `name` of both families.
    ///
    /// # Errors
    /// [`DnsError`], if either question was not answered.
    pub async fn all_addresses(&self, name: &str) -> Result<Vec<IpAddr>, DnsError> {
        let mut all = self.addresses(name, false).await?.records;
        all.extend(self.addresses(name, true).await?.records);
        Ok(all)
    }

    /// Whether `name` has an address of either family: one that is known is enough, whatever is not answered.
    ///
    /// # Errors
    /// [`DnsError`], if none is known and a question was not answered.
    pub async fn has_address(&self, name: &str) -> Result<bool, DnsError> {
        let mut unanswered = None;
        for v6 in [false, true] {
            match self.addresses(name, v6).await {
                Ok(found) if !found.records.is_empty() => return Ok(true),
                Ok(_) => {}
                Err(error) => unanswered = Some(error),
            }
        }
        unanswered.map_or(Ok(false), Err)
    }

    /// The names that `ip` has in the reverse tree.
    ///
    /// # Errors
    /// [`DnsError`].
    pub async fn names(&self, ip: IpAddr) -> Result<Found<String>, DnsError> {
        let found = self.ask(&reverse(ip), Kind::Ptr).await?;
        Ok(found.map(|data| match data {
            RData::PTR(name) => plain(&name.0),
            _ => String::new(),
        }))
    }

    async fn ask(&self, name: &str, kind: Kind) -> Answer {
        let key = (name.trim_end_matches('.').to_ascii_lowercase(), kind);
        if let Some(known) = self.answers.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return known.clone();
        }
        let answer = match timeout_at(self.until, self.dns.ask(&key.0, kind)).await {
            Ok(answer) => answer,
            Err(_) => {
                Err(DnsError::Temporary { name: key.0.clone(), kind, why: "the time of this check is over".to_owned() })
            }
        };
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(key, answer.clone());
        answer
    }
}

/// The name of an address in the reverse tree (RFC 1035 §3.5, RFC 3596 §2.5).
fn reverse(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(ip) => {
            let nibbles = ip.octets().into_iter().rev().flat_map(|octet| [octet & 0xf, octet >> 4]);
            let labels: Vec<String> = nibbles.map(|nibble| format!("{nibble:x}")).collect();
            format!("{}.ip6.arpa", labels.join("."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_place_in_the_reverse_tree() {
        assert_eq!(reverse("192.0.2.10".parse().unwrap()), "10.2.0.192.in-addr.arpa");
        let six = reverse("2001:db8::567:89ab".parse().unwrap());
        assert_eq!(six, "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
    }
}
