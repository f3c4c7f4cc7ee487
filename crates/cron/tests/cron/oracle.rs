//! Any expression, in any zone, against an oracle that looks at every minute: never twice, never missed, in order.

use std::collections::BTreeSet;

use cron::{Cron, Zone};
use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

/// A field as text, and the numbers that it stands for.
#[derive(Debug, Clone)]
struct Field {
    text: String,
    numbers: BTreeSet<u8>,
    paced: bool,
}

fn field(first: u8, last: u8) -> impl Strategy<Value = Field> {
    let star = Just(Field { text: "*".to_owned(), numbers: (first..=last).collect(), paced: true });
    let step = (2_u8..=20).prop_map(move |step| Field {
        text: format!("*/{step}"),
        numbers: (first..=last).step_by(step.into()).collect(),
        paced: true,
    });
    let list = proptest::collection::btree_set(first..=last, 1..5).prop_map(|numbers| Field {
        text: numbers.iter().map(u8::to_string).collect::<Vec<_>>().join(","),
        numbers,
        paced: false,
    });
    let range = (first..=last, first..=last).prop_map(|(a, b)| {
        let (from, to) = (a.min(b), a.max(b));
        Field { text: format!("{from}-{to}"), numbers: (from..=to).collect(), paced: false }
    });
    prop_oneof![1 => star, 1 => step, 4 => list, 2 => range]
}

#[derive(Debug, Clone)]
struct Expression {
    minute: Field,
    hour: Field,
    weekday: Option<BTreeSet<u8>>,
}

impl Expression {
    fn text(&self) -> String {
        let weekday = self
            .weekday
            .as_ref()
            .map_or("*".to_owned(), |days| days.iter().map(u8::to_string).collect::<Vec<_>>().join(","));
        format!("{} {} * * {weekday}", self.minute.text, self.hour.text)
    }

    fn matches(&self, local: DateTime) -> bool {
        let weekday = local.weekday().to_sunday_zero_offset() as u8;
        self.minute.numbers.contains(&(local.minute() as u8))
            && self.hour.numbers.contains(&(local.hour() as u8))
            && self.weekday.as_ref().is_none_or(|days| days.contains(&weekday))
    }

    /// Each minute of the span, by the rules as they are written in the documentation.
    fn oracle(&self, zone: &TimeZone, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
        let minute = SignedDuration::from_mins(1);
        let paced = self.minute.paced || self.hour.paced;
        let mut found = Vec::new();
        // What the clock showed last, and the latest that it ever showed.
        let mut shown = zone.to_datetime(from - SignedDuration::from_hours(30));
        let mut latest = shown;
        let mut at = from - SignedDuration::from_hours(30) + minute;
        while at <= until {
            let local = zone.to_datetime(at);
            let mut fires = self.matches(local) && (paced || local > latest);
            if !paced && local > shown + minute {
                let mut skipped = shown + minute;
                while skipped < local {
                    fires |= skipped > latest && self.matches(skipped);
                    skipped += minute;
                }
            }
            if fires && at > from {
                found.push(at);
            }
            (shown, latest) = (local, latest.max(local));
            at += minute;
        }
        found
    }
}

const ZONES: [&str; 9] = [
    "America/New_York",
    "Europe/London",
    "Australia/Lord_Howe",
    "America/Vancouver",
    "Asia/Kolkata",
    "Asia/Beirut",
    "America/Santiago",
    "Africa/Casablanca",
    "UTC",
];

/// Days around which clocks change somewhere in the list, and some others.
fn days() -> impl Strategy<Value = Timestamp> {
    let changes = [
        "2026-03-07",
        "2026-03-28",
        "2026-04-04",
        "2026-10-03",
        "2026-10-24",
        "2026-10-31",
        "2027-03-13",
        "2026-02-14",
        "2026-03-21",
        "2026-09-05",
        "2028-02-28",
        "2026-12-31",
    ];
    let near = proptest::sample::select(changes.to_vec()).prop_map(|day| format!("{day}T00:00:00Z").parse().unwrap());
    let any = (1_750_000_000_i64..1_950_000_000).prop_map(|s| Timestamp::from_second(s - s % 60).unwrap());
    prop_oneof![3 => near, 1 => any]
}

fn expressions() -> impl Strategy<Value = Expression> {
    let weekday = proptest::option::weighted(0.3, proptest::collection::btree_set(0_u8..=6, 1..4));
    (field(0, 59), field(0, 23), weekday).prop_map(|(minute, hour, weekday)| Expression { minute, hour, weekday })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_fires_when_the_oracle_says(
        expression in expressions(),
        zone in proptest::sample::select(ZONES.to_vec()),
        from in days(),
        offset in 0_i64..2_000,
    ) {
        let from = from + SignedDuration::from_mins(offset);
        let until = from + SignedDuration::from_hours(60);
        let (cron, named) = (Cron::parse(&expression.text()).unwrap(), Zone::parse(zone).unwrap());
        let found: Vec<Timestamp> = cron.after(&named, from).take_while(|at| *at <= until).collect();
        prop_assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "in order and never twice: {found:?}");
        let expected = expression.oracle(&TimeZoneDatabase::bundled().get(zone).unwrap(), from, until);
        prop_assert_eq!(&found, &expected, "{} in {} after {}", expression.text(), zone, from);
        prop_assert_eq!(cron.latest_within(&named, from, until), expected.last().copied());
    }

    #[test]
    fn where_one_begins_to_ask_makes_no_difference(
        expression in expressions(),
        zone in proptest::sample::select(ZONES.to_vec()),
        from in days(),
        steps in proptest::collection::vec(1_i64..20_000, 1..6),
    ) {
        let (cron, zone) = (Cron::parse(&expression.text()).unwrap(), Zone::parse(zone).unwrap());
        let mut asked = from;
        for step in steps {
            let next = cron.next_after(&zone, asked).unwrap();
            let between = asked + SignedDuration::from_secs(step);
            let again = cron.next_after(&zone, between).unwrap();
            if between < next {
                prop_assert_eq!(again, next);
            } else {
                prop_assert!(again > between);
            }
            asked = between;
        }
    }
}
