//! Silences: when they mute, what is refused.

use alerting::{Labels, Matcher, Silence, SilenceState};
use jiff::Timestamp;
use uuid::Uuid;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn silence() -> Silence {
    Silence {
        id: Uuid::nil(),
        matchers: vec!["team=\"db\"".parse().unwrap(), "host=~\"a|b\"".parse().unwrap()],
        created_by: "Ana".to_owned(),
        comment: "moving the disks\nback at noon".to_owned(),
        starts_at: at("2026-05-01T10:00:00Z"),
        ends_at: at("2026-05-01T12:00:00Z"),
    }
}

#[test]
fn it_mutes_from_its_first_instant_up_to_its_last() {
    for (now, state) in [
        ("2026-05-01T09:59:59.999Z", SilenceState::Pending),
        ("2026-05-01T10:00:00Z", SilenceState::Active),
        ("2026-05-01T11:59:59.999Z", SilenceState::Active),
        ("2026-05-01T12:00:00Z", SilenceState::Expired),
    ] {
        assert_eq!(silence().state(at(now)), state, "{now}");
        assert_eq!(silence().is_active(at(now)), state == SilenceState::Active);
    }
}

#[test]
fn all_of_its_matchers_have_to_fit() {
    let of = |pairs: &[(&str, &str)]| Labels::from_pairs(pairs.to_vec()).unwrap();
    assert!(silence().mutes(&of(&[("team", "db"), ("host", "a"), ("zone", "eu")])));
    assert!(!silence().mutes(&of(&[("team", "db"), ("host", "c")])));
    assert!(!silence().mutes(&of(&[("host", "a")])));
}

#[test]
fn what_would_silence_everything_or_for_good_is_refused() {
    let now = at("2026-05-01T09:00:00Z");
    assert_eq!(silence().validate(now), Ok(()));
    let refused = |change: &dyn Fn(&mut Silence)| {
        let mut silence = silence();
        change(&mut silence);
        silence.validate(now).unwrap_err().into_iter().map(|w| w.field).collect::<Vec<_>>()
    };
    let any: Matcher = "team=~\".*\"".parse().unwrap();
    assert_eq!(refused(&|s| s.matchers.clear()), ["matchers"]);
    assert_eq!(refused(&|s| s.matchers = vec![any.clone()]), ["matchers"]);
    assert_eq!(refused(&|s| s.matchers = vec!["a=\"b\"".parse().unwrap(); 33]), ["matchers"]);
    assert_eq!(refused(&|s| s.created_by = " ".to_owned()), ["created_by"]);
    assert_eq!(refused(&|s| s.created_by = "Ana\r\nBcc: x".to_owned()), ["created_by"]);
    assert_eq!(refused(&|s| s.created_by = "x".repeat(201)), ["created_by"]);
    assert_eq!(refused(&|s| s.comment = "x".repeat(1025)), ["comment"]);
    assert_eq!(refused(&|s| s.comment = "a\rb".to_owned()), ["comment"]);
    assert_eq!(refused(&|s| s.ends_at = s.starts_at), ["ends_at"]);
    assert_eq!(refused(&|s| s.ends_at = at("2027-06-01T00:00:00Z")), ["ends_at"]);
    assert_eq!(
        refused(&|s| (s.starts_at, s.ends_at) = (at("2029-01-01T00:00:00Z"), at("2029-01-02T00:00:00Z"))),
        ["starts_at"]
    );
    let late = silence().validate(at("2026-05-01T12:00:00Z")).unwrap_err();
    assert_eq!(late[0].to_string(), "ends_at: lies in the past");
}

#[test]
fn it_is_kept_as_json() {
    let text = serde_json::to_string(&silence()).unwrap();
    assert!(text.contains(r#""matchers":["team=\"db\"","host=~\"a|b\""]"#), "{text}");
    assert_eq!(serde_json::from_str::<Silence>(&text).unwrap(), silence());
}
