//! Fire lists, written down by hand: each kind of schedule through both changes of the clocks of four zones, in a zone
//! without any, and on a leap day.

use cron::{Cron, Zone};
use jiff::Timestamp;

/// The instants of `text` in `zone` after `from` and up to `until`: day of the month and time, in UTC.
fn fires(text: &str, zone: &str, from: &str, until: &str) -> Vec<String> {
    let (cron, zone) = (Cron::parse(text).unwrap(), Zone::parse(zone).unwrap());
    let (from, until): (Timestamp, Timestamp) = (from.parse().unwrap(), until.parse().unwrap());
    cron.after(&zone, from).take_while(|at| *at <= until).map(|at| at.strftime("%dT%H:%M").to_string()).collect()
}

struct Change {
    zone: &'static str,
    /// Shortly before the change, and some hours later.
    span: (&'static str, &'static str),
}

impl Change {
    #[track_caller]
    fn expect(&self, text: &str, expected: &[&str]) {
        assert_eq!(fires(text, self.zone, self.span.0, self.span.1), expected, "{text} in {}", self.zone);
    }
}

#[test]
fn new_york_springs_forward() {
    // 8 March 2026, 02:00 EST → 03:00 EDT: at 07:00Z.
    let change = Change { zone: "America/New_York", span: ("2026-03-08T05:00:00Z", "2026-03-08T09:00:00Z") };
    change.expect("0 1 * * *", &["08T06:00"]);
    change.expect("0 2 * * *", &["08T07:00"]);
    change.expect("30 2 * * *", &["08T07:00"]);
    change.expect("0 2,3 * * *", &["08T07:00"]);
    change.expect("0,15,30,45 2 * * *", &["08T07:00"]);
    change.expect("30 1-3 * * *", &["08T06:30", "08T07:00", "08T07:30"]);
    change.expect("0 2 8 3 *", &["08T07:00"]);
    change.expect("30 2 * * SUN", &["08T07:00"]);
    change.expect("30 2 * * MON", &[]);
    change.expect("30 * * * *", &["08T05:30", "08T06:30", "08T07:30", "08T08:30"]);
    change.expect("*/30 2 * * *", &[]);
    change.expect("0 */2 * * *", &["08T08:00"]);
    change.expect("@every 1h", &["08T06:00", "08T07:00", "08T08:00", "08T09:00"]);
}

#[test]
fn new_york_falls_back() {
    // 1 November 2026, 02:00 EDT → 01:00 EST: at 06:00Z.
    let change = Change { zone: "America/New_York", span: ("2026-11-01T04:30:00Z", "2026-11-01T08:00:00Z") };
    change.expect("0 1 * * *", &["01T05:00"]);
    change.expect("30 1 * * *", &["01T05:30"]);
    change.expect("0 2 * * *", &["01T07:00"]);
    change.expect("0 1,2 * * *", &["01T05:00", "01T07:00"]);
    change.expect("30 0-2 * * *", &["01T05:30", "01T07:30"]);
    change.expect("30 * * * *", &["01T05:30", "01T06:30", "01T07:30"]);
    change.expect("*/30 1 * * *", &["01T05:00", "01T05:30", "01T06:00", "01T06:30"]);
    change.expect("@every 90m", &["01T06:00", "01T07:30"]);
}

#[test]
fn london_springs_forward() {
    // 29 March 2026, 01:00 GMT → 02:00 BST: at 01:00Z.
    let change = Change { zone: "Europe/London", span: ("2026-03-28T23:30:00Z", "2026-03-29T03:00:00Z") };
    change.expect("15 1 * * *", &["29T01:00"]);
    change.expect("0 1,2 * * *", &["29T01:00"]);
    change.expect("0 0 * * *", &["29T00:00"]);
    change.expect("15 * * * *", &["29T00:15", "29T01:15", "29T02:15"]);
    change.expect("0 4 * * *", &["29T03:00"]);
}

#[test]
fn london_falls_back() {
    // 25 October 2026, 02:00 BST → 01:00 GMT: at 01:00Z.
    let change = Change { zone: "Europe/London", span: ("2026-10-24T23:30:00Z", "2026-10-25T03:00:00Z") };
    change.expect("15 1 * * *", &["25T00:15"]);
    change.expect("0 1,2 * * *", &["25T00:00", "25T02:00"]);
    change.expect("0 2 * * *", &["25T02:00"]);
    change.expect("15 * * * *", &["25T00:15", "25T01:15", "25T02:15"]);
    change.expect("*/20 1 * * *", &["25T00:00", "25T00:20", "25T00:40", "25T01:00", "25T01:20", "25T01:40"]);
}

#[test]
fn lord_howe_moves_by_half_an_hour() {
    // 4 October 2026, 02:00 → 02:30: at 15:30Z of the 3rd.
    let forward = Change { zone: "Australia/Lord_Howe", span: ("2026-10-03T14:00:00Z", "2026-10-03T17:30:00Z") };
    forward.expect("15 2 * * *", &["03T15:30"]);
    forward.expect("30 2 * * *", &["03T15:30"]);
    forward.expect("15,45 2 * * *", &["03T15:30", "03T15:45"]);
    forward.expect("15 * * * *", &["03T14:45", "03T16:15", "03T17:15"]);
    // 5 April 2026, 02:00 → 01:30: at 15:00Z of the 4th.
    let back = Change { zone: "Australia/Lord_Howe", span: ("2026-04-04T13:30:00Z", "2026-04-04T17:00:00Z") };
    back.expect("45 1 * * *", &["04T14:45"]);
    back.expect("15,45 1 * * *", &["04T14:15", "04T14:45"]);
    back.expect("0 2 * * *", &["04T15:30"]);
    back.expect("45 * * * *", &["04T13:45", "04T14:45", "04T15:15", "04T16:15"]);
}

#[test]
fn vancouver_changes_for_the_last_time_in_2026() {
    // 8 March 2026, 02:00 → 03:00, at 10:00Z; in November its clocks stay where they are.
    let spring = Change { zone: "America/Vancouver", span: ("2026-03-08T08:30:00Z", "2026-03-08T12:00:00Z") };
    spring.expect("30 2 * * *", &["08T10:00"]);
    spring.expect("30 * * * *", &["08T09:30", "08T10:30", "08T11:30"]);
    let autumn = Change { zone: "America/Vancouver", span: ("2026-11-01T07:30:00Z", "2026-11-02T16:30:00Z") };
    autumn.expect("30 1 * * *", &["01T08:30", "02T08:30"]);
    autumn.expect("0 9 * * *", &["01T16:00", "02T16:00"]);
    let winter = Change { zone: "America/Vancouver", span: ("2027-01-10T00:00:00Z", "2027-01-11T00:00:00Z") };
    winter.expect("0 9 * * *", &["10T16:00"]);
    let next_spring = Change { zone: "America/Vancouver", span: ("2027-03-13T00:00:00Z", "2027-03-15T00:00:00Z") };
    next_spring.expect("30 2 * * *", &["13T09:30", "14T09:30"]);
}

#[test]
fn a_zone_without_changes_knows_none() {
    let change = Change { zone: "Asia/Tokyo", span: ("2026-03-07T00:00:00Z", "2026-03-09T18:00:00Z") };
    change.expect("30 2 * * *", &["07T17:30", "08T17:30", "09T17:30"]);
    let kolkata = Change { zone: "Asia/Kolkata", span: ("2026-11-01T00:00:00Z", "2026-11-01T03:00:00Z") };
    kolkata.expect("0 * * * *", &["01T00:30", "01T01:30", "01T02:30"]);
}

#[test]
fn a_day_that_a_zone_left_out_fires_when_the_next_one_begins() {
    // Samoa went to the other side of the date line: there was no 30 December 2011.
    let change = Change { zone: "Pacific/Apia", span: ("2011-12-29T00:00:00Z", "2012-01-01T00:00:00Z") };
    change.expect("0 9 * * *", &["29T19:00", "30T10:00", "30T19:00", "31T19:00"]);
    change.expect("0 9 30 12 *", &["30T10:00"]);
}

#[test]
fn a_gap_at_midnight_begins_the_day_late() {
    // Beirut, 29 March 2026: 00:00 → 01:00, at 22:00Z of the 28th.
    let change = Change { zone: "Asia/Beirut", span: ("2026-03-27T00:00:00Z", "2026-03-30T00:00:00Z") };
    change.expect("0 0 * * *", &["27T22:00", "28T22:00", "29T21:00"]);
    change.expect("@daily", &["27T22:00", "28T22:00", "29T21:00"]);
}

#[test]
fn a_leap_day_comes_every_four_years_and_not_in_2100() {
    let years = |text: &str, from: &str, n: usize| -> Vec<String> {
        let (cron, zone) = (Cron::parse(text).unwrap(), Zone::utc());
        let found = cron.after(&zone, from.parse().unwrap()).take(n);
        found.map(|at| at.strftime("%Y-%m-%d").to_string()).collect()
    };
    let expected = ["2028-02-29", "2032-02-29", "2036-02-29"];
    assert_eq!(years("0 12 29 2 *", "2026-01-01T00:00:00Z", 3), expected);
    assert_eq!(years("0 12 29 2 *", "2095-01-01T00:00:00Z", 2), ["2096-02-29", "2104-02-29"]);
    assert_eq!(years("0 12 L 2 *", "2026-01-01T00:00:00Z", 3), ["2026-02-28", "2027-02-28", "2028-02-29"]);
    assert_eq!(years("0 12 29 * *", "2027-01-30T00:00:00Z", 2), ["2027-03-29", "2027-04-29"]);
}

#[test]
fn seconds_are_kept() {
    let (cron, zone) = (Cron::parse("15,45 * * * * *").unwrap(), Zone::utc());
    let found: Vec<String> =
        cron.after(&zone, "2026-11-24T10:00:15.5Z".parse().unwrap()).take(3).map(|at| at.to_string()).collect();
    assert_eq!(found, ["2026-11-24T10:00:45Z", "2026-11-24T10:01:15Z", "2026-11-24T10:01:45Z"]);
}

#[test]
fn weekdays_of_the_month_are_found() {
    let days = |text: &str| fires(text, "UTC", "2026-11-01T00:00:00Z", "2026-12-31T23:59:00Z");
    assert_eq!(days("0 9 * * MON#2"), ["09T09:00", "14T09:00"]);
    assert_eq!(days("0 9 * * 5L"), ["27T09:00", "25T09:00"]);
    assert_eq!(days("0 9 15W * *"), ["16T09:00", "15T09:00"]);
    assert_eq!(days("0 9 LW * *"), ["30T09:00", "31T09:00"]);
    // Both days restricted: either is enough.
    assert_eq!(days("0 9 10 12 THU"), ["03T09:00", "10T09:00", "17T09:00", "24T09:00", "31T09:00"]);
}
