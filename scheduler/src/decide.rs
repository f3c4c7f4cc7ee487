//! What becomes of the planned instants that have come: one function without I/O.
//!
//! - Up to a minute late is on time: a change of the leader is no downtime. Such instants fire, each.
//! - Is the first of them later than that, nobody fired for a while, and the schedule's catch-up policy says what becomes
//!   of the lot: none, one for all, or each; none that is later than `max_lateness`.

use std::time::Duration;

use jiff::Timestamp;
use job::clock::before;
use store::{CatchUp, Schedule, TickCause};
use worker::schedule::Timing;

/// So late an instant is still on time.
pub const ON_TIME: Duration = Duration::from_secs(60);
/// Instants that one decision fires at most; the next decision goes on behind them.
pub const MOST: usize = 500;

/// An instant that is to be fired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The instant.
    pub planned_at: Timestamp,
    /// Planned, or caught up.
    pub cause: TickCause,
    /// What is to be told of it.
    pub note: Option<String>,
}

/// What is to be done for a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The instants to fire, in order.
    pub due: Vec<Due>,
    /// Everything up to here is decided by it.
    pub until: Timestamp,
    /// Whether more instants have come than one decision takes.
    pub more: bool,
}

/// Decides on what was planned after `schedule.decided_until` and has come by `now`; `None` if nothing has.
#[must_use]
pub fn decide(schedule: &Schedule, timing: &Timing, now: Timestamp) -> Option<Decision> {
    let since = schedule.decided_until;
    let first = timing.next_after(since).filter(|first| *first <= now)?;
    let on_time_from = before(now, ON_TIME);
    if first > on_time_from {
        return Some(each(timing, since, now, |_| TickCause::Planned));
    }
    let from = since.max(before(now, schedule.spec.max_lateness.max(ON_TIME)));
    let cause = |at: Timestamp| if at > on_time_from { TickCause::Planned } else { TickCause::CatchUp };
    Some(match schedule.spec.catch_up {
        CatchUp::None => each(timing, since.max(on_time_from), now, cause),
        CatchUp::All => each(timing, from, now, cause),
        CatchUp::Once => {
            let due = timing.cron.latest_within(&timing.zone, from, now).map(|planned_at| Due {
                planned_at,
                cause: TickCause::CatchUp,
                note: Some(format!("for all since {first}")),
            });
            Decision { due: due.into_iter().collect(), until: now, more: false }
        }
    })
}

/// Each instant after `from` and up to `now`.
fn each(timing: &Timing, from: Timestamp, now: Timestamp, cause: impl Fn(Timestamp) -> TickCause) -> Decision {
    let mut due: Vec<Due> = timing
        .after(from)
        .take_while(|at| *at <= now)
        .take(MOST + 1)
        .map(|planned_at| Due { planned_at, cause: cause(planned_at), note: None })
        .collect();
    let more = due.len() > MOST;
    due.truncate(MOST);
    let until = due.last().filter(|_| more).map_or(now, |last| last.planned_at);
    Decision { due, until, more }
}

/// The part of the jitter that a tick gets: always the same for the same tick, so that deciding twice decides alike.
#[must_use]
pub fn jitter(schedule: &Schedule, planned_at: Timestamp) -> Duration {
    let most = u64::try_from(schedule.spec.jitter.as_millis()).unwrap_or(u64::MAX);
    if most == 0 {
        return Duration::ZERO;
    }
    // FNV-1a (64 bit) over name and instant.
    let seed = schedule.name.bytes().chain(planned_at.as_millisecond().to_le_bytes());
    let hash = seed.fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3));
    // The low bits of a short input are the best mixed ones; fold the high ones in.
    Duration::from_millis((hash ^ (hash >> 32)) % most)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use store::{Origin, Overlap, ScheduleSpec};

    use super::*;

    fn schedule(cron: &str, catch_up: CatchUp, max_lateness_h: u64, since: &str) -> (Schedule, Timing) {
        let spec = ScheduleSpec {
            cron: cron.to_owned(),
            timezone: "UTC".to_owned(),
            kind: "debug.noop".to_owned(),
            queue: "debug".to_owned(),
            args: json!({}),
            catch_up,
            max_lateness: Duration::from_secs(max_lateness_h * 3_600),
            overlap: Overlap::Allow,
            jitter: Duration::ZERO,
            failure_limit: None,
        };
        let timing = Timing::of(&spec).unwrap();
        let at = since.parse().unwrap();
        let schedule = Schedule {
            name: "s".to_owned(),
            origin: Origin::Api,
            spec,
            revision: 1,
            decided_until: at,
            failures: 0,
            paused: None,
            created_at: at,
            updated_at: at,
        };
        (schedule, timing)
    }

    fn decided((schedule, timing): &(Schedule, Timing), now: &str) -> Vec<(String, TickCause)> {
        let decision = decide(schedule, timing, now.parse().unwrap());
        let due = decision.map(|d| d.due).unwrap_or_default();
        due.into_iter().map(|d| (d.planned_at.strftime("%dT%H:%M").to_string(), d.cause)).collect()
    }

    #[test]
    fn nothing_is_due_before_its_time() {
        let hourly = schedule("0 * * * *", CatchUp::Once, 24, "2026-11-24T10:00:00Z");
        assert_eq!(decide(&hourly.0, &hourly.1, "2026-11-24T10:59:59.999Z".parse().unwrap()), None);
        assert_eq!(decided(&hourly, "2026-11-24T11:00:00Z"), [("24T11:00".to_owned(), TickCause::Planned)]);
    }

    #[test]
    fn a_change_of_the_leader_is_no_downtime_whatever_the_policy() {
        for catch_up in [CatchUp::None, CatchUp::Once, CatchUp::All] {
            let minutely = schedule("* * * * *", catch_up, 24, "2026-11-24T10:00:05Z");
            assert_eq!(decided(&minutely, "2026-11-24T10:01:50Z"), [("24T10:01".to_owned(), TickCause::Planned)]);
        }
    }

    #[test]
    fn after_three_days_once_fires_once_all_fires_what_may_be_late_and_none_nothing() {
        let since = "2026-11-21T04:00:00Z";
        let (now, caught) = ("2026-11-24T04:30:00Z", TickCause::CatchUp);
        let of = |catch_up, hours| decided(&schedule("0 */6 * * *", catch_up, hours, since), now);
        assert_eq!(of(CatchUp::Once, 24), [("24T00:00".to_owned(), caught)]);
        let all = of(CatchUp::All, 24);
        let times: Vec<&str> = all.iter().map(|(at, _)| at.as_str()).collect();
        assert_eq!(times, ["23T06:00", "23T12:00", "23T18:00", "24T00:00"]);
        assert_eq!(of(CatchUp::None, 24), []);
        // Later than the schedule allows: not even once.
        assert_eq!(of(CatchUp::Once, 4), []);
        assert_eq!(of(CatchUp::All, 4), []);
    }

    #[test]
    fn once_is_once_even_if_one_of_them_is_on_time() {
        let minutely = schedule("* * * * *", CatchUp::Once, 240, "2026-11-21T04:00:00Z");
        assert_eq!(decided(&minutely, "2026-11-24T04:30:10Z"), [("24T04:30".to_owned(), TickCause::CatchUp)]);
        let none = schedule("* * * * *", CatchUp::None, 240, "2026-11-21T04:00:00Z");
        assert_eq!(decided(&none, "2026-11-24T04:30:10Z"), [("24T04:30".to_owned(), TickCause::Planned)]);
    }

    #[test]
    fn many_are_decided_a_piece_at_a_time_and_none_is_left_out() {
        let (mut schedule, timing) = schedule("* * * * *", CatchUp::All, 72, "2026-11-22T00:00:00Z");
        let now: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
        let mut fired = Vec::new();
        while let Some(decision) = decide(&schedule, &timing, now) {
            assert!(
                decision.due.len() <= MOST && decision.more == (decision.due.len() == MOST && decision.until < now)
            );
            fired.extend(decision.due.into_iter().map(|due| due.planned_at));
            schedule.decided_until = decision.until;
        }
        assert_eq!(fired.len(), 2 * 24 * 60);
        assert!(fired.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn jitter_is_the_same_for_the_same_tick_and_spreads() {
        let (mut schedule, timing) = schedule("* * * * *", CatchUp::Once, 24, "2026-11-22T00:00:00Z");
        assert_eq!(jitter(&schedule, schedule.created_at), Duration::ZERO);
        schedule.spec.jitter = Duration::from_secs(60);
        let shares: Vec<Duration> =
            timing.after(schedule.created_at).take(600).map(|at| jitter(&schedule, at)).collect();
        assert!(shares.iter().all(|share| *share < Duration::from_secs(60)));
        let early = shares.iter().filter(|share| **share < Duration::from_secs(30)).count();
        assert!((200..400).contains(&early), "{early} of 600 in the first half");
        assert_eq!(shares[0], jitter(&schedule, timing.next_after(schedule.created_at).unwrap()));
    }
}
