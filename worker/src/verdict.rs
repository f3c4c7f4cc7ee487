//! What becomes of a job after a run: one function, without I/O, so that the rules are read and tested in one place.

use std::time::Duration;

use jiff::Timestamp;
use job::{Completed, RetryPolicy, Stop, Unfinished};
use queue::Disposition;

use crate::run::Ended;

/// How large a result may be, in bytes of JSON.
pub const RESULT_BYTES: usize = 4_096;

/// What the rules need to know of the job.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The attempt that ended, from 1.
    pub attempt: u32,
    /// The last attempt that may be tried again after.
    pub max_attempts: u32,
    /// The kind's back-off.
    pub retry: RetryPolicy,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// Since when workers do not know the job.
    pub unknown_since: Option<Timestamp>,
    /// How long an unknown job waits for a worker that knows it.
    pub unknown_grace: Duration,
}

/// The disposition; `None` when the lease is lost and there is nothing to write. `chance` is uniform in `0.0..1.0`.
#[must_use]
pub fn judge(ended: Ended, facts: &Facts, now: Timestamp, chance: f64) -> Option<Disposition> {
    Some(match ended {
        Ended::Said(Ok(Completed(result))) => Disposition::Completed { result: result.map(|r| cut(r.to_string())) },
        Ended::Said(Err(Unfinished::Retry { error })) => retry(error, None, facts, chance),
        Ended::Said(Err(Unfinished::RetryAfter { error, delay })) => retry(error, Some(delay), facts, chance),
        Ended::Said(Err(Unfinished::Snooze { reason, delay })) => {
            Disposition::Snooze { delay, reason, unknown_since: None }
        }
        Ended::Said(Err(Unfinished::Fail { error })) => Disposition::Dead { error },
        Ended::Said(Err(Unfinished::Cancelled)) | Ended::Stopped(Stop::Cancelled) => Disposition::Cancelled,
        Ended::Said(Err(Unfinished::Expired)) => Disposition::Expired,
        Ended::TimedOut => {
            retry(format!("timed out after {}", job::duration::format(facts.timeout)), None, facts, chance)
        }
        Ended::Panicked(message) => retry(format!("panicked: {message}"), None, facts, chance),
        Ended::Stopped(Stop::CutOff) => Disposition::Release,
        Ended::Stopped(Stop::Lost) => return None,
        Ended::Unreadable(reason) => Disposition::Dead { error: reason },
        Ended::Unknown(reason) => unknown(reason, facts, now),
    })
}

fn retry(error: String, delay: Option<Duration>, facts: &Facts, chance: f64) -> Disposition {
    if facts.attempt >= facts.max_attempts {
        return Disposition::Dead { error: format!("attempt {} of {}: {error}", facts.attempt, facts.max_attempts) };
    }
    let delay = delay.unwrap_or_else(|| facts.retry.delay(facts.attempt, chance));
    Disposition::Retry { delay, error }
}

/// A job that this worker does not know waits for one that does: a release may be on its way.
fn unknown(reason: String, facts: &Facts, now: Timestamp) -> Disposition {
    let since = facts.unknown_since.unwrap_or(now);
    let waited = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    if waited >= facts.unknown_grace {
        let grace = job::duration::format(facts.unknown_grace);
        return Disposition::Dead { error: format!("{reason}; no worker that knows it came within {grace}") };
    }
    let delay = (facts.unknown_grace / 10).clamp(Duration::from_millis(50), Duration::from_secs(30));
    Disposition::Snooze { delay: delay.min(facts.unknown_grace - waited), reason, unknown_since: Some(since) }
}

fn cut(result: String) -> String {
    match result.len() {
        0..=RESULT_BYTES => result,
        len => format!("{{\"note\":\"the result was {len} bytes long; at most {RESULT_BYTES} are kept\"}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            attempt: 1,
            max_attempts: 3,
            retry: RetryPolicy::Fixed(Duration::from_secs(7)),
            timeout: Duration::from_secs(60),
            unknown_since: None,
            unknown_grace: Duration::from_secs(600),
        }
    }

    fn now() -> Timestamp {
        "2026-11-23T10:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_failure_is_retried_until_its_attempts_are_spent() {
        let failed = || Ended::Said(Err(Unfinished::retry("no luck")));
        let again = judge(failed(), &facts(), now(), 0.0);
        assert_eq!(again, Some(Disposition::Retry { delay: Duration::from_secs(7), error: "no luck".into() }));
        let last = judge(failed(), &Facts { attempt: 3, ..facts() }, now(), 0.0);
        assert_eq!(last, Some(Disposition::Dead { error: "attempt 3 of 3: no luck".into() }));
    }

    #[test]
    fn timeouts_and_panics_are_retries_that_say_what_happened() {
        let Some(Disposition::Retry { error, .. }) = judge(Ended::TimedOut, &facts(), now(), 0.0) else { panic!() };
        assert_eq!(error, "timed out after 1m");
        let ended = Ended::Panicked("index out of bounds".into());
        let Some(Disposition::Retry { error, .. }) = judge(ended, &facts(), now(), 0.0) else { panic!() };
        assert_eq!(error, "panicked: index out of bounds");
    }

    #[test]
    fn an_unknown_kind_waits_its_grace_and_then_is_dead() {
        let ended = || Ended::Unknown("no kind x".into());
        let Some(Disposition::Snooze { unknown_since, .. }) = judge(ended(), &facts(), now(), 0.0) else { panic!() };
        assert_eq!(unknown_since, Some(now()));
        let late = job::clock::after(now(), Duration::from_secs(600));
        let waited = Facts { unknown_since: Some(now()), ..facts() };
        assert!(matches!(judge(ended(), &waited, late, 0.0), Some(Disposition::Dead { .. })));
    }

    #[test]
    fn a_lost_lease_leaves_nothing_to_write_and_a_cut_off_charges_nothing() {
        assert_eq!(judge(Ended::Stopped(Stop::Lost), &facts(), now(), 0.0), None);
        assert_eq!(judge(Ended::Stopped(Stop::CutOff), &facts(), now(), 0.0), Some(Disposition::Release));
    }

    #[test]
    fn a_result_that_is_too_long_is_replaced_by_a_note() {
        let long = Ended::Said(Ok(Completed::with(serde_json::json!("x".repeat(RESULT_BYTES)))));
        let Some(Disposition::Completed { result: Some(result) }) = judge(long, &facts(), now(), 0.0) else { panic!() };
        assert!(result.contains("4098 bytes"), "{result}");
    }
}
