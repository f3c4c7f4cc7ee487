//! What happens to a heartbeat: one function a thing, without I/O, so that the rules are read and tested in one place.
//!
//! | what | there is | then |
//! |---|---|---|
//! | a beat | none, and nobody defines it | it is unknown |
//! | a beat | one, late or not | it is ok until its period and its grace are over again |
//! | a definition | none | its first period begins now |
//! | a definition | one | it keeps what it has beaten; late or not is judged anew |
//! | time | one whose period and grace are over | it is late |
//! | a removal | one that is late, or whose state nobody was told | it ends first, then it goes |
//!
//! Each change of the state is a turn, and each turn is told.

use jiff::Timestamp;
use job::clock::after;
use store::{Heartbeat, HeartbeatState, Origin};

use super::rules::Definition;

/// One that begins now.
pub(super) fn new(name: &str, origin: Origin, definition: Definition, now: Timestamp) -> Heartbeat {
    Heartbeat {
        name: name.to_owned(),
        origin,
        period: definition.period,
        grace: definition.grace,
        severity: definition.severity,
        state: HeartbeatState::Ok,
        since: now,
        beats: 0,
        last_beat_at: None,
        due_at: due(now, definition),
        turn: 0,
        told_turn: 0,
        created_at: now,
        updated_at: now,
    }
}

/// It has beaten.
pub(super) fn beat(heartbeat: Heartbeat, now: Timestamp) -> Heartbeat {
    // Two that come at once, each by another clock: the later one counts.
    let last = heartbeat.last_beat_at.map_or(now, |last| last.max(now));
    let definition = definition(&heartbeat);
    let beaten = Heartbeat {
        beats: heartbeat.beats + 1,
        last_beat_at: Some(last),
        due_at: due(last, definition),
        updated_at: now,
        ..heartbeat
    };
    turned(beaten, HeartbeatState::Ok, now)
}

/// It is to keep to this.
pub(super) fn define(heartbeat: Heartbeat, origin: Origin, definition: Definition, now: Timestamp) -> Heartbeat {
    if heartbeat.state == HeartbeatState::Removed {
        // It comes back as a new one; what was told of the old one has to end.
        let turn = heartbeat.turn + 1;
        return Heartbeat { turn, ..new(&heartbeat.name, origin, definition, now) };
    }
    let since = heartbeat.last_beat_at.unwrap_or(heartbeat.created_at);
    let defined = Heartbeat {
        origin,
        period: definition.period,
        grace: definition.grace,
        severity: definition.severity,
        due_at: due(since, definition),
        updated_at: now,
        ..heartbeat
    };
    // That it is late is found by the watch; that it is not late any more is known here.
    let state = if defined.due_at > now { HeartbeatState::Ok } else { defined.state };
    turned(defined, state, now)
}

/// Time has passed. `None`: it is not late, or known to be.
pub(super) fn late(heartbeat: Heartbeat, now: Timestamp) -> Option<Heartbeat> {
    let late = heartbeat.state == HeartbeatState::Ok && heartbeat.due_at <= now;
    late.then(|| turned(Heartbeat { updated_at: now, ..heartbeat }, HeartbeatState::Late, now))
}

/// It is to go. `None`: at once, nobody has to be told.
pub(super) fn remove(heartbeat: Heartbeat, now: Timestamp) -> Option<Heartbeat> {
    let quiet = heartbeat.state == HeartbeatState::Ok && heartbeat.turn == heartbeat.told_turn;
    (!quiet).then(|| turned(Heartbeat { updated_at: now, ..heartbeat }, HeartbeatState::Removed, now))
}

/// What it has to keep to.
pub(super) fn definition(heartbeat: &Heartbeat) -> Definition {
    Definition { period: heartbeat.period, grace: heartbeat.grace, severity: heartbeat.severity }
}

fn turned(heartbeat: Heartbeat, state: HeartbeatState, now: Timestamp) -> Heartbeat {
    match heartbeat.state == state {
        true => heartbeat,
        false => Heartbeat { state, since: now, turn: heartbeat.turn + 1, ..heartbeat },
    }
}

fn due(since: Timestamp, definition: Definition) -> Timestamp {
    after(since, definition.period.saturating_add(definition.grace))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(minute: u64) -> Timestamp {
        after(Timestamp::UNIX_EPOCH, Duration::from_secs(60 * minute))
    }

    fn every(minutes: u64) -> Definition {
        let minute = |n| Duration::from_secs(60 * n);
        Definition::new(minute(minutes), Some(minute(1)), None).unwrap()
    }

    fn fresh() -> Heartbeat {
        new("backup", Origin::Api, every(10), at(0))
    }

    #[test]
    fn the_first_beat_is_waited_for_as_long_as_every_other() {
        assert_eq!(late(fresh(), at(10)), None);
        let late = late(fresh(), at(11)).unwrap();
        assert_eq!((late.state, late.since, late.turn), (HeartbeatState::Late, at(11), 1));
    }

    #[test]
    fn a_beat_ends_the_lateness_and_one_in_time_is_no_turn() {
        let in_time = beat(fresh(), at(5));
        assert_eq!((in_time.due_at, in_time.turn, in_time.beats), (at(16), 0, 1));
        let back = beat(late(in_time, at(16)).unwrap(), at(20));
        assert_eq!((back.state, back.turn, back.due_at), (HeartbeatState::Ok, 2, at(31)));
        assert_eq!(late(back.clone(), at(30)), None);
        // An older word that comes later does not shorten it.
        assert_eq!(beat(back, at(19)).due_at, at(31));
    }

    #[test]
    fn late_is_told_once() {
        let late_once = late(fresh(), at(11)).unwrap();
        assert_eq!(late(late_once, at(99)), None);
    }

    #[test]
    fn a_longer_period_forgives_and_a_shorter_one_is_found_out_by_the_watch() {
        let late_one = late(fresh(), at(11)).unwrap();
        let longer = define(late_one, Origin::Api, every(60), at(12));
        assert_eq!((longer.state, longer.turn, longer.due_at), (HeartbeatState::Ok, 2, at(61)));
        let shorter = define(longer, Origin::Config, every(5), at(13));
        assert_eq!((shorter.state, shorter.origin, shorter.due_at), (HeartbeatState::Ok, Origin::Config, at(6)));
        assert!(late(shorter, at(13)).is_some());
    }

    #[test]
    fn what_nobody_was_told_of_goes_at_once_and_the_rest_ends_first() {
        assert_eq!(remove(fresh(), at(1)), None);
        let late_one = late(fresh(), at(11)).unwrap();
        let gone = remove(late_one, at(12)).unwrap();
        assert_eq!((gone.state, gone.turn), (HeartbeatState::Removed, 2));
        let again = define(gone, Origin::Api, every(10), at(13));
        assert_eq!((again.state, again.turn, again.beats, again.due_at), (HeartbeatState::Ok, 3, 0, at(24)));
    }
}
