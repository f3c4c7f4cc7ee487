//! What follows from what is known of a domain: pure rules, without I/O. Where there is a second relay they hold for it as for
//! a domain of its own ([`decide_by`], [`after_check_by`]).
//!
//! | known | mail |
//! |---|---|
//! | the last check was good, within the last 24 h | is sent |
//! | a check was good within the last 24 h; since then the DNS is away, or a bad answer is not confirmed | is sent, with a warning |
//! | no check was good within the last 24 h | is held |
//! | what was good was another configuration: other keys, MAIL FROM, EHLO name or relays ([`seen_by`]) | is held, and looked at at once |
//! | two checks in a row were bad, some time apart | is held |
//!
//! | after a check | the next one is due in |
//! |---|---|
//! | good | 1 h |
//! | no answer, the first, second, third, further time in a row | 30 s, 1, 2, 5 min |
//! | bad, for the first time | 30 s: to confirm it |
//! | bad, confirmed | 5 min: so that a repair is noticed |

use std::time::Duration;

use jiff::Timestamp;
use job::clock::after;
use mail::gate::{Report, Verdict};
use store::{Domain, DomainRelay, DomainState};

/// How long a good answer counts while there is no other.
pub const LAST_GOOD: Duration = Duration::from_hours(24);
/// Between checks of a domain that is good.
pub const HOURLY: Duration = Duration::from_hours(1);
/// The waits while the DNS does not answer; the last one repeats.
const UNCLEAR: [Duration; 4] =
    [Duration::from_secs(30), Duration::from_mins(1), Duration::from_mins(2), Duration::from_mins(5)];
/// Until a bad answer is looked at again.
const CONFIRM: Duration = Duration::from_secs(30);
/// A second bad answer confirms the first only if they are so far apart: two workers that look at the same moment see
/// the same mistake.
const APART: Duration = Duration::from_secs(20);
/// While it stays bad.
const REPAIR: Duration = Duration::from_mins(5);

/// Whether a mail may leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Send,
    /// Yes, although not all is well; why.
    Warn(String),
    /// No; why.
    Hold(String),
}

/// What has changed with a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Nothing that anybody must know.
    Nothing,
    /// Mail is still sent, and not all is well any more.
    Doubted,
    /// From now on mail is held, and the operators are to be told.
    Held,
    /// What they were told of is over.
    Mended,
}

/// Whether mail may leave, by what is known.
#[must_use]
pub fn decide(domain: &Domain, now: Timestamp) -> Decision {
    let why = || domain.reason.clone().unwrap_or_else(|| "no check of its domain was good lately".to_owned());
    let good_lately = domain.verified_at.is_some_and(|at| after(at, LAST_GOOD) >= now);
    match (domain.state, good_lately) {
        (DomainState::Failed, _) | (_, false) => Decision::Hold(why()),
        (DomainState::Verified, true) if domain.unclear_in_a_row == 0 => Decision::Send,
        (_, true) => Decision::Warn(why()),
    }
}

/// Whether a mail should not be decided about before somebody has looked: nobody ever did, or it would be held although
/// the next check is due.
#[must_use]
pub fn must_look(known: Option<&Domain>, now: Timestamp) -> bool {
    let Some(known) = known else { return true };
    matches!(decide(known, now), Decision::Hold(_)) && known.next_check_at.is_none_or(|due| due <= now)
}

/// What a row says to a process whose configuration has another fingerprint (`plan`) than the one that was checked: nothing,
/// whatever it was. What the process found itself (`own`) stands. Which key signs, and what operators were told, is of the
/// domain and not of a configuration.
#[must_use]
pub fn seen_by(plan: &str, stored: Domain, own: Option<Domain>) -> Domain {
    if stored.plan.as_deref() == Some(plan) {
        return stored;
    }
    let reason = || Some("nobody has looked at its domain with this configuration yet".to_owned());
    let own = own.filter(|own| own.plan.as_deref() == Some(plan));
    let stands = own.unwrap_or_else(|| Domain { reason: reason(), ..Domain::unknown(&stored.name) });
    Domain {
        revision: stored.revision,
        told: stored.told,
        report: stored.report,
        selector: stored.selector,
        previous_selector: stored.previous_selector,
        switched_at: stored.switched_at,
        ..stands
    }
}

/// Whether mail may leave by a further relay, by what is known.
#[must_use]
pub fn decide_by(domain: Option<&Domain>, relay: &str, now: Timestamp) -> Decision {
    match standing(domain, relay) {
        Some(standing) => decide(&standing, now),
        None => Decision::Hold(format!("nobody has looked at its domain with the relay {relay} yet")),
    }
}

/// As [`must_look`], for a further relay.
#[must_use]
pub fn must_look_by(domain: Option<&Domain>, relay: &str, now: Timestamp) -> bool {
    must_look(standing(domain, relay).as_ref(), now)
}

/// What is known of a domain with a further relay, as if it had no other.
fn standing(domain: Option<&Domain>, relay: &str) -> Option<Domain> {
    let domain = domain?;
    domain.relays.iter().find(|known| known.relay == relay).map(|known| known.as_domain(&domain.name))
}

/// What a domain with a further relay becomes by what a report says of it.
#[must_use]
pub fn after_check_by(before: &Domain, report: &Report, relay: &str, now: Timestamp) -> (DomainRelay, Turn) {
    let was = standing(Some(before), relay).unwrap_or_else(|| Domain::unknown(&before.name));
    let (is, turn) = after_check(&was, &report.by(relay), now);
    (DomainRelay::of(relay, is), turn)
}

/// What a domain becomes by a report.
#[must_use]
pub fn after_check(before: &Domain, report: &Report, now: Timestamp) -> (Domain, Turn) {
    let mut domain = Domain { checked_at: Some(now), ..before.clone() };
    let wait = match report.verdict() {
        Verdict::Pass => {
            domain.state = DomainState::Verified;
            domain.verified_at = Some(now);
            (domain.failing_since, domain.unclear_in_a_row, domain.reason) = (None, 0, None);
            HOURLY
        }
        Verdict::Unclear => {
            let wait = UNCLEAR[usize::min(before.unclear_in_a_row as usize, UNCLEAR.len() - 1)];
            domain.unclear_in_a_row = before.unclear_in_a_row.saturating_add(1);
            // What is confirmed to be wrong stays the reason.
            if before.state != DomainState::Failed {
                domain.reason = Some(report.reason());
            }
            wait
        }
        Verdict::Fail => {
            let since = *domain.failing_since.get_or_insert(now);
            (domain.unclear_in_a_row, domain.reason) = (0, Some(report.reason()));
            let confirmed = before.state == DomainState::Failed || after(since, APART) <= now;
            domain.state = if confirmed { DomainState::Failed } else { DomainState::Suspect };
            if confirmed { REPAIR } else { CONFIRM }
        }
    };
    domain.next_check_at = Some(after(now, wait));
    let turn = turn(before, &mut domain, now);
    (domain, turn)
}

/// Who is to be told. The first answer that there is none may be chance: the operators hear of the second.
fn turn(before: &Domain, domain: &mut Domain, now: Timestamp) -> Turn {
    let was_sending = before.checked_at.is_some() && decide(before, now) == Decision::Send;
    match decide(domain, now) {
        Decision::Send => match std::mem::take(&mut domain.told) {
            true => Turn::Mended,
            false => Turn::Nothing,
        },
        Decision::Warn(_) if was_sending => Turn::Doubted,
        Decision::Warn(_) => Turn::Nothing,
        Decision::Hold(_) => {
            let sure = domain.state == DomainState::Failed || domain.unclear_in_a_row >= 2;
            match sure && !domain.told {
                true => {
                    domain.told = true;
                    Turn::Held
                }
                false => Turn::Nothing,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use mail::gate::{Finding, Severity};

    use super::*;
    use Verdict::{Fail, Pass, Unclear};

    fn report(verdict: Verdict) -> Report {
        let severity = match verdict {
            Pass => Severity::Ok,
            Unclear => Severity::Unclear,
            Fail => Severity::Block,
        };
        let finding = Finding {
            rule: "spf.record".to_owned(),
            severity,
            place: "a.test".to_owned(),
            found: "x".to_owned(),
            source: "RFC 7208".to_owned(),
            publish: None,
            relay: None,
        };
        Report { domain: "a.test".to_owned(), findings: vec![finding], relays: Vec::new() }
    }

    fn start() -> Timestamp {
        "2027-03-01T09:00:00Z".parse().unwrap()
    }

    fn later(seconds: u64) -> Timestamp {
        after(start(), Duration::from_secs(seconds))
    }

    /// A domain after checks at these seconds.
    fn story(checks: &[(u64, Verdict)]) -> (Domain, Vec<Turn>) {
        let mut domain = Domain::unknown("a.test");
        let mut turns = Vec::new();
        for (at, verdict) in checks {
            let turn;
            (domain, turn) = after_check(&domain, &report(*verdict), later(*at));
            turns.push(turn);
        }
        (domain, turns)
    }

    fn due(domain: &Domain) -> u64 {
        (domain.next_check_at.unwrap().as_second() - domain.checked_at.unwrap().as_second()).unsigned_abs()
    }

    #[test]
    fn a_good_domain_sends_and_is_looked_at_hourly() {
        let (domain, turns) = story(&[(0, Pass)]);
        assert_eq!((decide(&domain, later(1)), due(&domain), turns), (Decision::Send, 3600, vec![Turn::Nothing]));
    }

    #[test]
    fn one_that_was_never_verified_is_held_while_the_dns_is_away_and_looked_at_sooner_at_first() {
        let mut checks = Vec::new();
        let mut waits = Vec::new();
        for n in 0..6 {
            checks.push((n * 600, Unclear));
            let (domain, _) = story(&checks);
            assert!(matches!(decide(&domain, later(n * 600 + 1)), Decision::Hold(_)));
            waits.push(due(&domain));
        }
        assert_eq!(waits, [30, 60, 120, 300, 300, 300]);
        assert_eq!(story(&checks).1[..3], [Turn::Nothing, Turn::Held, Turn::Nothing], "the operators hear of it once");
    }

    #[test]
    fn one_that_was_verified_within_a_day_goes_on_sending_and_warns() {
        let (domain, turns) = story(&[(0, Pass), (3600, Unclear), (3630, Unclear)]);
        assert_eq!(turns, [Turn::Nothing, Turn::Doubted, Turn::Nothing]);
        let day = 24 * 3600;
        assert!(matches!(decide(&domain, later(day)), Decision::Warn(_)), "exactly a day is within");
        assert!(matches!(decide(&domain, later(day + 1)), Decision::Hold(_)));
        let (_, turns) = story(&[(0, Pass), (3600, Unclear), (day + 60, Unclear)]);
        assert_eq!(turns[2], Turn::Held, "when the day is over the operators are told");
    }

    #[test]
    fn a_bad_answer_is_confirmed_before_a_verified_domain_is_held() {
        let (domain, _) = story(&[(0, Pass), (3600, Fail)]);
        assert_eq!((domain.state, due(&domain)), (DomainState::Suspect, 30));
        assert!(matches!(decide(&domain, later(3601)), Decision::Warn(_)));
        let (domain, _) = story(&[(0, Pass), (3600, Fail), (3601, Fail)]);
        assert_eq!(domain.state, DomainState::Suspect, "two looks at the same moment are one");
        let (domain, turns) = story(&[(0, Pass), (3600, Fail), (3630, Fail)]);
        assert_eq!((domain.state, due(&domain), turns[2]), (DomainState::Failed, 300, Turn::Held));
        assert!(matches!(decide(&domain, later(3631)), Decision::Hold(_)));
    }

    #[test]
    fn a_new_domain_that_is_bad_is_held_from_the_first_answer_on() {
        let (domain, turns) = story(&[(0, Fail)]);
        assert!(matches!(decide(&domain, later(1)), Decision::Hold(_)));
        assert_eq!(turns, [Turn::Nothing]);
        assert_eq!(story(&[(0, Fail), (30, Fail)]).1[1], Turn::Held);
    }

    #[test]
    fn a_failed_domain_stays_so_while_the_dns_is_away_and_is_mended_by_one_good_answer() {
        let failed = [(0, Pass), (3600, Fail), (3630, Fail), (3930, Unclear)];
        let (domain, _) = story(&failed);
        assert_eq!(domain.state, DomainState::Failed);
        assert_eq!(decide(&domain, later(3931)), Decision::Hold("spf.record (a.test): x".to_owned()));
        let (domain, turns) = story(&[&failed[..], &[(4000, Pass)]].concat());
        assert_eq!((decide(&domain, later(4001)), turns[4], domain.told), (Decision::Send, Turn::Mended, false));
        assert_eq!((domain.failing_since, domain.reason), (None, None));
    }

    #[test]
    fn a_good_answer_between_starts_the_confirmation_anew() {
        let (domain, _) = story(&[(0, Fail), (30, Pass), (3630, Fail)]);
        assert_eq!(domain.state, DomainState::Suspect);
    }

    #[test]
    fn a_good_answer_for_another_configuration_counts_as_none() {
        let (good, _) = story(&[(0, Pass)]);
        let stored = Domain { plan: Some("old".to_owned()), revision: 7, selector: Some("s2".to_owned()), ..good };
        assert_eq!(decide(&seen_by("old", stored.clone(), None), later(1)), Decision::Send);
        let seen = seen_by("new", stored.clone(), None);
        assert!(matches!(decide(&seen, later(1)), Decision::Hold(_)) && must_look(Some(&seen), later(1)));
        assert_eq!((seen.revision, seen.selector.as_deref()), (7, Some("s2")));
        // One bad or unclear answer is enough: there is no last good one.
        for verdict in [Fail, Unclear] {
            let (checked, _) = after_check(&seen, &report(verdict), later(1));
            assert!(matches!(decide(&checked, later(2)), Decision::Hold(_)));
        }
        // What this process found itself stands while others write of theirs.
        let own = Domain { plan: Some("new".to_owned()), selector: None, ..story(&[(5, Pass)]).0 };
        let seen = seen_by("new", stored, Some(own.clone()));
        assert_eq!((decide(&seen, later(6)), seen.selector.as_deref()), (Decision::Send, Some("s2")));
        let failed = Domain { plan: Some("old".to_owned()), ..story(&[(6, Fail), (60, Fail)]).0 };
        assert_eq!(decide(&seen_by("new", failed, Some(own)), later(61)), Decision::Send);
    }

    #[test]
    fn a_second_relay_stands_for_itself() {
        let mut domain = Domain::unknown("a.test");
        assert!(matches!(decide_by(Some(&domain), "b:25", start()), Decision::Hold(_)));
        assert!(must_look_by(Some(&domain), "b:25", start()) && must_look_by(None, "b:25", start()));
        let mut both = report(Fail);
        both.findings[0].relay = Some("b:25".to_owned());
        let (first, _) = after_check(&domain, &both.by("a:25"), start());
        let (second, _) = after_check_by(&domain, &both, "b:25", start());
        domain = Domain { relays: vec![second], ..first };
        assert_eq!(decide(&domain, later(1)), Decision::Send);
        assert_eq!(decide_by(Some(&domain), "b:25", later(1)), Decision::Hold("spf.record (a.test): x".to_owned()));
        let (confirmed, turn) = after_check_by(&domain, &both, "b:25", later(30));
        assert_eq!((confirmed.state, turn), (DomainState::Failed, Turn::Held));
    }

    #[test]
    fn nobody_decides_before_somebody_has_looked() {
        assert!(must_look(None, start()));
        let (held, _) = story(&[(0, Unclear)]);
        assert!(!must_look(Some(&held), later(29)) && must_look(Some(&held), later(30)));
        let (good, _) = story(&[(0, Pass)]);
        assert!(!must_look(Some(&good), later(24 * 3600)), "what is sent is looked at in its own time");
        assert!(must_look(Some(&good), later(24 * 3600 + 1)));
    }
}
