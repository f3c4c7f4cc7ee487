//! Alerts: what is refused and how it is named, and what routes look at.

use alerting::{Alert, Labels, Severity, State};
use jiff::{SignedDuration, Timestamp};

fn now() -> Timestamp {
    "2026-05-01T12:00:00Z".parse().unwrap()
}

fn alert() -> Alert {
    Alert {
        kind: "db.connections".to_owned(),
        severity: Severity::Warning,
        title: "Nearly all connections are taken".to_owned(),
        message: "97 of 100.\n\tSee the pool.".to_owned(),
        labels: Labels::from_pairs([("host", "db-1")]).unwrap(),
        details: serde_json::Map::new(),
        state: State::Firing,
        starts_at: now(),
        ends_at: None,
    }
}

fn refused(change: impl FnOnce(&mut Alert)) -> Vec<String> {
    let mut alert = alert();
    change(&mut alert);
    alert.validate(now()).unwrap_err().into_iter().map(|wrong| wrong.field).collect()
}

#[test]
fn what_cannot_be_shown_is_refused_by_name() {
    assert_eq!(alert().validate(now()), Ok(()));
    assert_eq!(refused(|a| a.kind = String::new()), ["type"]);
    assert_eq!(refused(|a| a.kind = "a\r\nBcc: everybody@example.com".to_owned()), ["type"]);
    assert_eq!(refused(|a| a.title = "a\nb".to_owned()), ["title"]);
    assert_eq!(refused(|a| a.title = "\u{202E}evil".to_owned()), ["title"]);
    assert_eq!(refused(|a| a.title = "x".repeat(301)), ["title"]);
    assert_eq!(refused(|a| a.message = "x".repeat(1 << 20)), ["message"]);
    assert_eq!(refused(|a| a.message = "a\0b".to_owned()), ["message"]);
    assert_eq!(refused(|a| drop(a.details.insert("log".to_owned(), "x".repeat(1 << 20).into()))), ["details"]);
    let both = refused(|a| (a.kind, a.title) = (" ".to_owned(), "x".repeat(1 << 20)));
    assert_eq!(both, ["type", "title"], "all at once");
}

#[test]
fn clocks_that_are_wrong_are_told() {
    let ahead = |seconds: i64| now() + SignedDuration::from_secs(seconds);
    assert_eq!(refused(|a| a.starts_at = ahead(601)), ["starts_at"]);
    let mut a_little = alert();
    a_little.starts_at = ahead(600);
    assert_eq!(a_little.validate(now()), Ok(()));
    assert_eq!(refused(|a| a.starts_at = "1970-01-01T00:00:00Z".parse().unwrap()), ["starts_at"]);
    assert_eq!(refused(|a| a.ends_at = Some(ahead(-1))), ["ends_at"]);
    assert_eq!(refused(|a| a.ends_at = Some("9999-01-01T00:00:00Z".parse().unwrap())), ["ends_at"]);
    assert_eq!(refused(|a| (a.state, a.ends_at) = (State::Resolved, Some(ahead(3600)))), ["ends_at"]);
    let mut extreme = alert();
    (extreme.starts_at, extreme.ends_at) = (Timestamp::MIN, Some(Timestamp::MAX));
    assert!(extreme.validate(Timestamp::MAX).is_err() && extreme.validate(Timestamp::MIN).is_err());
}

#[test]
fn a_label_may_not_contradict_the_severity() {
    let severity = |word: &str| Labels::from_pairs([("severity", word)]).unwrap();
    assert_eq!(refused(|a| a.labels = severity("critical")), ["labels.severity"]);
    for word in ["warning", "page"] {
        let alert = Alert { labels: severity(word), ..alert() };
        assert_eq!(alert.validate(now()), Ok(()), "{word}");
        assert_eq!(alert.subject().get("severity"), Some(word));
    }
}

#[test]
fn routes_see_type_and_severity_as_labels() {
    let subject = alert().subject();
    for (name, value) in
        [("type", "db.connections"), ("alertname", "db.connections"), ("severity", "warning"), ("host", "db-1")]
    {
        assert_eq!(subject.get(name), Some(value));
    }
    let own = Alert { labels: Labels::from_pairs([("type", "replica")]).unwrap(), ..alert() };
    assert_eq!(own.subject().get("type"), Some("replica"), "a label of that name says otherwise");
    let full = Alert { labels: Labels::from_pairs((0..64).map(|i| (format!("l{i}"), "x"))).unwrap(), ..alert() };
    assert_eq!(full.subject().len(), 67);
}

#[test]
fn words_of_others_stand_for_a_severity() {
    for (word, severity) in [
        ("critical", Severity::Critical),
        ("CRITICAL", Severity::Critical),
        ("Info", Severity::Info),
        ("warning", Severity::Warning),
        ("page", Severity::Warning),
        ("", Severity::Warning),
    ] {
        assert_eq!(Severity::of_label(word), severity, "{word}");
    }
    assert!(Severity::Critical > Severity::Warning && Severity::Warning > Severity::Info);
    assert!("Critical".parse::<Severity>().is_err());
}

#[test]
fn a_nul_in_the_details_is_refused_by_the_name_of_its_field() {
    let with = |value: serde_json::Value| refused(|a| drop(a.details.insert("log".to_owned(), value)));
    assert_eq!(with("a\0b".into()), ["details.log"]);
    assert_eq!(with(serde_json::json!({"lines": ["a", "\0"]})), ["details.log.lines.1"]);
    assert_eq!(with(serde_json::json!({"a\0": 1})), ["details.log"]);
    assert_eq!(refused(|a| drop(a.details.insert("a\0".to_owned(), 1.into()))), ["details"]);
}

#[test]
fn labels_that_contradict_the_alert_are_refused() {
    let label = |name: &str, value: &str| {
        let mut alert = alert();
        alert.labels.insert(name, value).unwrap();
        alert.validate(now()).map_err(|wrong| wrong.into_iter().map(|one| one.field).collect::<Vec<_>>())
    };
    assert_eq!(label("alertname", "other"), Err(vec!["labels.alertname".to_owned()]));
    assert_eq!(label("alertname", "db.connections"), Ok(()));
    for (word, fits) in [("critical", false), ("Critical", false), ("WARNING", true), ("page", true)] {
        assert_eq!(label("severity", word).is_ok(), fits, "{word}");
    }
}

#[test]
fn a_severity_in_another_case_is_our_word_to_routes_and_any_other_word_stays() {
    let says = |word: &str, severity| {
        let labels = Labels::from_pairs([("severity", word)]).unwrap();
        alerting::subject("disk", severity, &labels).get("severity").unwrap().to_owned()
    };
    assert_eq!(says("Critical", Severity::Critical), "critical");
    assert_eq!(says("WARNING", Severity::Warning), "warning");
    assert_eq!(says("page", Severity::Warning), "page");
}
