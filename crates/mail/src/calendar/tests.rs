//! What an entry looks like, and what cannot be made to stand in one.

use proptest::prelude::*;

use super::*;

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

fn invite() -> Invite {
    Invite {
        uid: uid("bk_1001", "postrider.test"),
        sequence: 2,
        method: Method::Request,
        starts_at: "2026-11-24T16:00:00Z".parse().unwrap(),
        duration_minutes: 60,
        summary: "Conversational German, level B1; with Jürgen Müller".to_owned(),
        description: Some("Bring the book.\nBooking bk_1001".to_owned()),
        location: Some("Café am Markt, Schillerstraße 12, Berlin".to_owned()),
        url: Some("https://meet.example.com/l/7f3k-q2zd?a=1,2;b=3".to_owned()),
        organizer: Person { name: Some("Bookings".to_owned()), address: address("bookings@postrider.test") },
        attendees: vec![Person {
            name: Some("Zoë \"Zo\" Fernández, MA".to_owned()),
            address: address("zoe@example.com"),
        }],
    }
}

fn stamp() -> Timestamp {
    "2026-11-23T08:00:00.75Z".parse().unwrap()
}

/// The lines as their writer meant them (RFC 5545 §3.1).
fn unfolded(ics: &str) -> Vec<String> {
    ics.replace("\r\n ", "").split_terminator("\r\n").map(str::to_owned).collect()
}

#[test]
fn an_entry_reads_as_it_should() {
    insta::assert_snapshot!(unfolded(&invite().write(stamp()).unwrap()).join("\n"));
}

#[test]
fn a_cancelled_lesson_leaves_the_calendar_under_the_same_uid() {
    let cancel = Invite { method: Method::Cancel, sequence: 3, ..invite() };
    let (before, after) = (unfolded(&invite().write(stamp()).unwrap()), unfolded(&cancel.write(stamp()).unwrap()));
    let uid = |lines: &[String]| lines.iter().find(|line| line.starts_with("UID:")).cloned();
    assert_eq!(uid(&before), uid(&after));
    for line in ["METHOD:CANCEL", "STATUS:CANCELLED", "SEQUENCE:3"] {
        assert!(after.iter().any(|l| l == line), "{line} in {after:?}");
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    assert_eq!(invite().write(stamp()), invite().write(stamp()));
}

#[test]
fn an_hour_is_an_hour_over_the_change_of_clocks() {
    // New York's clocks go back at 06:00 UTC on this day.
    let change = Invite { starts_at: "2026-11-01T05:30:00Z".parse().unwrap(), ..invite() };
    let lines = unfolded(&change.write(stamp()).unwrap());
    assert!(
        lines.contains(&"DTSTART:20261101T053000Z".to_owned()) && lines.contains(&"DTEND:20261101T063000Z".to_owned())
    );
}

#[test]
fn it_is_kept_as_json() {
    let json = serde_json::to_value(invite()).unwrap();
    assert_eq!((&json["method"], &json["starts_at"]), (&"REQUEST".into(), &"2026-11-24T16:00:00Z".into()));
    assert_eq!(serde_json::from_value::<Invite>(json).unwrap(), invite());
}

#[test]
fn what_cannot_be_written_is_refused_and_named() {
    let refused = |change: fn(&mut Invite)| {
        let mut invite = invite();
        change(&mut invite);
        invite.write(stamp()).unwrap_err()
    };
    assert_eq!(refused(|i| i.summary = "a\r\nATTENDEE:x".to_owned()), InviteError::Field("summary"));
    assert_eq!(refused(|i| i.uid = "a\nb".to_owned()), InviteError::Field("uid"));
    assert_eq!(refused(|i| i.location = Some("a\0".to_owned())), InviteError::Field("location"));
    assert_eq!(refused(|i| i.description = Some("a\rb".to_owned())), InviteError::Field("description"));
    assert_eq!(refused(|i| i.url = Some("javascript:alert(1)".to_owned())), InviteError::Field("url"));
    assert_eq!(refused(|i| i.url = Some("https://a.example/\r\nX:y".to_owned())), InviteError::Field("url"));
    assert_eq!(refused(|i| i.attendees[0].name = Some("a\nb".to_owned())), InviteError::Field("name"));
    assert_eq!(refused(|i| i.organizer.name = Some("a\r".to_owned())), InviteError::Field("name"));
    assert_eq!(refused(|i| i.sequence = 1 << 31), InviteError::Sequence);
    assert_eq!(refused(|i| i.duration_minutes = 0), InviteError::Time);
}

proptest! {
    #[test]
    fn no_text_adds_a_line_or_breaks_one(text in "[\\PC\n]{0,200}", name in "\\PC{0,60}") {
        let mut entry = invite();
        entry.summary = format!("x{}", text.replace('\n', " "));
        entry.description = Some(text);
        entry.attendees[0].name = Some(name);
        let ics = entry.write(stamp()).unwrap();
        prop_assert!(ics.split("\r\n").all(|line| line.len() <= 76 && !line.contains(['\r', '\n'])));
        prop_assert_eq!(unfolded(&ics).len(), unfolded(&invite().write(stamp()).unwrap()).len());
    }
}

#[test]
fn an_address_is_a_uri_whatever_stands_in_it() {
    for (who, uri) in [
        ("zoe+l'x@example.com", "mailto:zoe+l'x@example.com"),
        ("jürgen@example.com", "mailto:j%C3%BCrgen@example.com"),
        ("a?b=c&d%e@example.com", "mailto:a%3Fb%3Dc%26d%25e@example.com"),
    ] {
        let attendees = vec![Person { name: None, address: address(who) }];
        let written = Invite { attendees, ..invite() }.write(stamp()).unwrap().replace("\r\n ", "");
        assert!(written.contains(uri), "{written}");
    }
}
