//! Whether a message goes now, or waits for a digest: the rules of storms and of the hourly cap, without I/O.
//!
//! 1. In a storm, and until an interval after it, everything waits: the person or channel gets one digest soon, and then at
//!    most one an interval.
//! 2. A person gets at most so many mails an hour. The last of them is a digest, so that it says what is held back; what
//!    comes after it waits for the end of the hour.
//! 3. While something waits, what follows it waits too: nobody reads that it is over before they read that it began.

use std::time::Duration;

use jiff::Timestamp;
use job::clock::after;
use store::{Channel, Throttle};

use super::rules::AlertRules;

/// What the cap counts over.
const HOUR: Duration = Duration::from_secs(3600);

/// Counts a message that is told; of one that waits notes when its digest is due. Answers whether it is told.
pub(super) fn admit(
    throttle: &mut Throttle,
    channel: Channel,
    is_storm: bool,
    rules: &AlertRules,
    now: Timestamp,
) -> bool {
    roll(throttle, now);
    if is_storm {
        throttle.storm_until = Some(after(now, rules.storm.interval));
    }
    let is_storm = throttle.storm_until.is_some_and(|until| until > now);
    let most = i64::from(rules.mails_per_hour);
    let last = channel == Channel::Email && throttle.window_messages + 1 >= most;
    if !is_storm && !last && throttle.digest_due_at.is_none() {
        throttle.window_messages += 1;
        return true;
    }
    if throttle.digest_due_at.is_none() {
        let soon = after(now, rules.storm.wait());
        let apart = throttle.digested_at.map_or(soon, |told| after(told, rules.storm.interval));
        throttle.digest_due_at = Some(soon.max(apart).max(free_from(throttle, channel, rules, now)));
    }
    false
}

/// Counts a digest that is due now; or says until when it has to wait.
pub(super) fn admit_digest(
    throttle: &mut Throttle,
    channel: Channel,
    rules: &AlertRules,
    now: Timestamp,
) -> Result<(), Timestamp> {
    roll(throttle, now);
    let free = free_from(throttle, channel, rules, now);
    if free > now {
        return Err(free);
    }
    throttle.window_messages += 1;
    Ok(())
}

/// Whether the cap is what holds messages back.
pub(super) fn is_capped(throttle: &Throttle, channel: Channel, rules: &AlertRules) -> bool {
    channel == Channel::Email && throttle.window_messages + 1 >= i64::from(rules.mails_per_hour)
}

/// From when on the cap lets a message through.
fn free_from(throttle: &Throttle, channel: Channel, rules: &AlertRules, now: Timestamp) -> Timestamp {
    match channel == Channel::Email && throttle.window_messages >= i64::from(rules.mails_per_hour) {
        true => after(throttle.window_began_at, HOUR),
        false => now,
    }
}

/// A new hour begins with the first message after the last one.
fn roll(throttle: &mut Throttle, now: Timestamp) {
    if after(throttle.window_began_at, HOUR) <= now {
        throttle.window_began_at = now;
        throttle.window_messages = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        after(Timestamp::UNIX_EPOCH, Duration::from_secs(seconds))
    }

    fn fresh() -> Throttle {
        Throttle {
            window_began_at: at(0),
            window_messages: 0,
            digested_at: None,
            digest_due_at: None,
            storm_until: None,
        }
    }

    fn rules(mails_per_hour: u32) -> AlertRules {
        AlertRules { mails_per_hour, ..AlertRules::default() }
    }

    /// Plays messages at these seconds; answers when single messages and digests went.
    fn play(messages: &[(u64, bool)], channel: Channel, rules: &AlertRules) -> (Vec<u64>, Vec<u64>) {
        let (mut throttle, mut single, mut digests) = (fresh(), Vec::new(), Vec::new());
        let end = messages.last().map_or(0, |(second, _)| *second) + 3 * 3600;
        let mut next = messages.iter().peekable();
        for second in 0..=end {
            while let Some((_, storm)) = next.next_if(|(when, _)| *when <= second) {
                if admit(&mut throttle, channel, *storm, rules, at(second)) {
                    single.push(second);
                }
            }
            if throttle.digest_due_at.is_some_and(|due| due <= at(second)) {
                match admit_digest(&mut throttle, channel, rules, at(second)) {
                    Ok(()) => {
                        (throttle.digested_at, throttle.digest_due_at) = (Some(at(second)), None);
                        digests.push(second);
                    }
                    Err(later) => throttle.digest_due_at = Some(later),
                }
            }
        }
        assert_eq!(throttle.digest_due_at, None, "nothing is held for good");
        (single, digests)
    }

    #[test]
    fn the_last_mail_of_the_hour_tells_what_is_held() {
        let messages: Vec<(u64, bool)> = (0..20).map(|n| (n, false)).collect();
        let (single, digests) = play(&messages, Channel::Email, &rules(5));
        assert_eq!(single, [0, 1, 2, 3]);
        assert_eq!(digests, [34], "the fifth mail is a digest; later ones wait for what comes");
        let later: Vec<(u64, bool)> = (0..20).map(|n| (n * 60, false)).collect();
        let (single, digests) = play(&later, Channel::Email, &rules(5));
        assert_eq!((single, digests), (vec![0, 60, 120, 180], vec![270, 3600]));
    }

    #[test]
    fn a_storm_is_one_digest_soon_and_then_one_an_interval() {
        let messages: Vec<(u64, bool)> = (0..1000).map(|n| (n, true)).collect();
        let (single, digests) = play(&messages, Channel::Webhook, &rules(60));
        assert_eq!((single, digests), (vec![], vec![30, 330, 630, 930, 1230]));
    }

    proptest! {
        #[test]
        fn nobody_gets_more_mails_an_hour_than_the_cap_and_digests_are_apart(
            mut messages in prop::collection::vec((0_u64..20_000, any::<bool>()), 1..200), most in 2_u32..20,
        ) {
            messages.sort_unstable();
            let rules = rules(most);
            let (single, digests) = play(&messages, Channel::Email, &rules);
            let mut all: Vec<u64> = single.iter().chain(&digests).copied().collect();
            all.sort_unstable();
            // Windows begin with their first mail, so any hour touches at most two of them.
            for (i, first) in all.iter().enumerate() {
                let within = all[i..].iter().take_while(|second| **second < first + 3600).count();
                prop_assert!(within <= 2 * most as usize, "{within} mails within an hour");
            }
            for pair in digests.windows(2) {
                prop_assert!(pair[1] - pair[0] >= rules.storm.interval.as_secs());
            }
        }
    }
}
