//! Walking an SPF record to the end of every branch (RFC 7208 §4 and §5).
//!
//! 1. The texts of a name that begin with `v=spf1` are its records: none, one, or too many (§4.5).
//! 2. Its directives are tried in order; the first that matches decides (§4.6.2). The walk notes the decision and goes on,
//!    for another address would have gone on too.
//! 3. Each term that asks the DNS counts; each that is answered with nothing counts as void (§4.6.4). Beyond the limits a
//!    receiver answers `permerror`, and so does the walk, from there on.
//! 4. A name that is met again below itself is a circle: it would never end.

use std::net::IpAddr;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::parse::{Directive, Mechanism, Qualifier, Record};
use super::walked::{Ending, Outcome, Walked};
use super::{Question, address, macros};
use crate::dns::{DnsError, Found, Lookups};

/// Terms that may ask the DNS (§4.6.4).
pub const MOST_LOOKUPS: usize = 10;
/// Of them those that may be answered with nothing (§4.6.4).
pub const MOST_VOIDS: usize = 2;
/// Hosts of one `mx`, names of one `ptr` (§4.6.4).
pub const MOST_HOSTS: usize = 10;
/// Where the walk itself ends, however long the record is.
const MOST_STEPS: usize = 60;
/// Addresses that are remembered of those that a record names.
const MOST_NAMED: usize = 16;
/// A network that is wider than this lets in whoever likes: half the world has an address in it.
const WIDEST: (u8, u8) = (8, 16);

/// Whether a text is an SPF record (§4.5).
#[must_use]
pub fn is_spf(text: &str) -> bool {
    let head = text.get(..6).is_some_and(|head| head.eq_ignore_ascii_case("v=spf1"));
    head && text[6..].chars().next().is_none_or(|c| c == ' ')
}

/// Asks whether the address of `question` may send for its domain, and what the record costs.
pub async fn walk(lookups: &Lookups, question: &Question<'_>) -> Walked {
    let mut walk = Walk { lookups, question, walked: Walked::nothing(), path: Vec::new(), lets_in: true };
    let domain = question.domain.trim_end_matches('.').to_ascii_lowercase();
    let result = walk.at(domain, true, false).await;
    Walked { result, ..walk.walked }
}

struct Walk<'a> {
    lookups: &'a Lookups,
    question: &'a Question<'a>,
    walked: Walked,
    path: Vec<String>,
    /// Whether a match here lets in: every term on the way to it has the qualifier `+`.
    lets_in: bool,
}

/// What trying a mechanism comes to.
enum Tried {
    Match,
    NoMatch,
    Error(Outcome),
}

impl Walk<'_> {
    /// The record of a name. `main` is true for the name itself and where it redirects to; `counted` where reaching the
    /// record was a lookup of a term.
    fn at(&mut self, domain: String, main: bool, counted: bool) -> BoxFuture<'_, Outcome> {
        async move {
            if self.path.contains(&domain) {
                self.walked.circles.push(domain);
                return Outcome::PermError;
            }
            let texts = match self.lookups.txt(&domain).await {
                Ok(texts) => texts,
                Err(error) => return self.unanswered(error),
            };
            if counted {
                self.void(&domain, &texts);
            }
            let records: Vec<String> = texts.records.into_iter().filter(|text| is_spf(text)).collect();
            if self.path.is_empty() {
                self.walked.records.clone_from(&records);
            }
            let text = match records.as_slice() {
                [] => return Outcome::None,
                [one] => one,
                _ => return self.decided(Outcome::PermError, &format!("{domain} has {} records", records.len())),
            };
            match Record::parse(text) {
                Ok(record) => {
                    self.path.push(domain.clone());
                    let outcome = self.evaluate(&record, &domain, main).await;
                    self.path.pop();
                    outcome
                }
                Err(wrong) => {
                    let outcome = self.decided(Outcome::PermError, &format!("{domain}: {wrong}"));
                    self.walked.wrong.push((domain, wrong));
                    outcome
                }
            }
        }
        .boxed()
    }

    async fn evaluate(&mut self, record: &Record, domain: &str, main: bool) -> Outcome {
        let mut decision = None;
        for directive in &record.directives {
            let above = self.lets_in;
            self.lets_in = above && directive.qualifier == Qualifier::Pass;
            let tried = self.tried(&directive.mechanism, domain).await;
            self.lets_in = above;
            self.note(directive, domain);
            if decision.is_none() {
                decision = match tried {
                    _ if self.is_beyond_the_limits() => {
                        Some(self.decided(Outcome::PermError, "more lookups than a receiver makes"))
                    }
                    Tried::Match => Some(self.decided(directive.qualifier.into(), &directive.text)),
                    Tried::NoMatch => None,
                    Tried::Error(outcome) => Some(self.decided(outcome, &directive.text)),
                };
            }
            // What stands behind `all` is never looked at (§5.1).
            if directive.mechanism == Mechanism::All || self.walked.lookups > MOST_STEPS {
                break;
            }
        }
        if let Some(all) = record.all() {
            if main {
                self.walked.ending = Ending::All(all);
            }
        } else if let Some(redirect) = &record.redirect {
            let there = self.redirected(redirect, domain, main).await;
            decision = decision.or(Some(there));
        }
        decision.unwrap_or(Outcome::Neutral)
    }

    async fn redirected(&mut self, to: &str, domain: &str, main: bool) -> Outcome {
        self.walked.lookups += 1;
        let Ok(target) = macros::expand(to, self.question, domain) else { return Outcome::PermError };
        self.includes(&target);
        let outcome = self.at(target.clone(), main, true).await;
        match outcome {
            Outcome::None => {
                self.walked.missing.push(target.clone());
                self.decided(Outcome::PermError, &format!("redirect={target} leads to no record"))
            }
            _ if self.is_beyond_the_limits() => self.decided(Outcome::PermError, "more lookups than a receiver makes"),
            outcome => outcome,
        }
    }

    async fn tried(&mut self, mechanism: &Mechanism, domain: &str) -> Tried {
        let ip = self.question.ip;
        match mechanism {
            Mechanism::All => Tried::Match,
            Mechanism::Ip4(network, bits) => {
                self.name(IpAddr::V4(*network));
                matched(matches!(ip, IpAddr::V4(ip) if address::in_v4(ip, *network, *bits)))
            }
            Mechanism::Ip6(network, bits) => {
                self.name(IpAddr::V6(*network));
                matched(matches!(ip, IpAddr::V6(ip) if address::in_v6(ip, *network, *bits)))
            }
            Mechanism::Include(spec) => {
                let Some(target) = self.term(Some(spec), domain) else { return Tried::Error(Outcome::PermError) };
                self.includes(&target);
                match self.at(target.clone(), false, true).await {
                    Outcome::Pass => Tried::Match,
                    Outcome::Fail | Outcome::SoftFail | Outcome::Neutral => Tried::NoMatch,
                    Outcome::TempError => Tried::Error(Outcome::TempError),
                    Outcome::None => {
                        self.walked.missing.push(target);
                        Tried::Error(Outcome::PermError)
                    }
                    Outcome::PermError => Tried::Error(Outcome::PermError),
                }
            }
            Mechanism::A(spec, v4, v6) => {
                let Some(target) = self.term(spec.as_ref(), domain) else { return Tried::Error(Outcome::PermError) };
                match self.lookups.addresses(&target, ip.is_ipv6()).await {
                    Ok(found) => {
                        self.void(&target, &found);
                        found.records.iter().for_each(|host| self.name(*host));
                        matched(address::any_near(ip, &found.records, *v4, *v6))
                    }
                    Err(error) => Tried::Error(self.unanswered(error)),
                }
            }
            Mechanism::Mx(spec, v4, v6) => match self.term(spec.as_ref(), domain) {
                Some(target) => self.exchangers(&target, *v4, *v6).await,
                None => Tried::Error(Outcome::PermError),
            },
            Mechanism::Exists(spec) => {
                let Some(target) = self.term(Some(spec), domain) else { return Tried::Error(Outcome::PermError) };
                match self.lookups.addresses(&target, false).await {
                    Ok(found) => {
                        self.void(&target, &found);
                        matched(!found.is_void())
                    }
                    Err(error) => Tried::Error(self.unanswered(error)),
                }
            }
            Mechanism::Ptr(spec) => match self.term(spec.as_ref(), domain) {
                Some(target) => self.reverse(&target).await,
                None => Tried::Error(Outcome::PermError),
            },
        }
    }

    /// One term that asks the DNS: the name that it asks for.
    fn term(&mut self, spec: Option<&String>, domain: &str) -> Option<String> {
        self.walked.lookups += 1;
        match spec {
            Some(spec) => macros::expand(spec, self.question, domain).ok(),
            None => Some(domain.to_owned()),
        }
    }

    async fn exchangers(&mut self, target: &str, v4: u8, v6: u8) -> Tried {
        let ip = self.question.ip;
        let found = match self.lookups.mx(target).await {
            Ok(found) => found,
            Err(error) => return Tried::Error(self.unanswered(error)),
        };
        self.void(target, &found);
        if found.records.len() > self.walked.widest_mx.1 {
            self.walked.widest_mx = (target.to_owned(), found.records.len());
        }
        if found.records.len() > MOST_HOSTS {
            return Tried::Error(Outcome::PermError);
        }
        for exchanger in found.records.iter().filter(|exchanger| !exchanger.host.is_empty()) {
            match self.lookups.addresses(&exchanger.host, ip.is_ipv6()).await {
                Ok(hosts) => {
                    hosts.records.iter().for_each(|host| self.name(*host));
                    if address::any_near(ip, &hosts.records, v4, v6) {
                        return Tried::Match;
                    }
                }
                Err(error) => return Tried::Error(self.unanswered(error)),
            }
        }
        Tried::NoMatch
    }

    /// A reverse name counts if it leads back to the address (§5.5); what cannot be asked does not match.
    async fn reverse(&mut self, target: &str) -> Tried {
        let ip = self.question.ip;
        let Ok(names) = self.lookups.names(ip).await else { return Tried::NoMatch };
        for name in names.records.iter().take(MOST_HOSTS) {
            let below = name == target || name.ends_with(&format!(".{target}"));
            if below && self.lookups.addresses(name, ip.is_ipv6()).await.is_ok_and(|found| found.records.contains(&ip))
            {
                return Tried::Match;
            }
        }
        Tried::NoMatch
    }

    /// Notes what is worth a word, whether it matched or not.
    fn note(&mut self, directive: &Directive, domain: &str) {
        let lets_in = directive.qualifier == Qualifier::Pass;
        match directive.mechanism {
            Mechanism::Ptr(_) => self.walked.ptr.push(domain.to_owned()),
            Mechanism::All if lets_in => self.walked.open.push(format!("{} of {domain}", directive.text)),
            Mechanism::Ip4(_, bits) if lets_in && bits < WIDEST.0 => {
                self.walked.open.push(format!("{} of {domain}", directive.text));
            }
            Mechanism::Ip6(_, bits) if lets_in && bits < WIDEST.1 => {
                self.walked.open.push(format!("{} of {domain}", directive.text));
            }
            _ => {}
        }
    }

    /// A name whose record is looked at too.
    fn includes(&mut self, target: &str) {
        self.walked.included.insert(target.to_owned());
        if self.lets_in {
            self.walked.lets_in.insert(target.to_owned());
        }
    }

    /// An address that the record names.
    fn name(&mut self, ip: IpAddr) {
        if self.lets_in && self.walked.named.len() < MOST_NAMED && !self.walked.named.contains(&ip) {
            self.walked.named.push(ip);
        }
    }

    fn is_beyond_the_limits(&self) -> bool {
        self.walked.lookups > MOST_LOOKUPS || self.walked.voids.len() > MOST_VOIDS
    }

    fn void<T>(&mut self, name: &str, found: &Found<T>) {
        if found.is_void() {
            self.walked.voids.push(name.to_owned());
        }
    }

    fn unanswered(&mut self, error: DnsError) -> Outcome {
        let outcome = match &error {
            DnsError::Temporary { .. } => Outcome::TempError,
            DnsError::Name(_) => Outcome::PermError,
        };
        self.decided(outcome, &error.to_string());
        self.walked.unanswered.get_or_insert(error);
        outcome
    }

    /// Keeps the reason of the innermost decision, which is the one to tell.
    fn decided(&mut self, outcome: Outcome, because: &str) -> Outcome {
        if self.walked.because.is_empty() || self.path.len() <= 1 {
            self.walked.because = because.to_owned();
        }
        outcome
    }
}

fn matched(yes: bool) -> Tried {
    if yes { Tried::Match } else { Tried::NoMatch }
}
