//! Who would be told: the answer before anything happens.

use std::time::Duration;

use alerting::{Fingerprint, Inhibition, Inhibitor, Labels, Preview, RouteSpec, Routes, Silence, Step, parse_list};
use jiff::Timestamp;
use uuid::Uuid;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn it_says_who_when_and_what_mutes() {
    let on_call = RouteSpec {
        matchers: parse_list("severity=critical").unwrap(),
        receiver: Some("on-call".to_owned()),
        group_wait: Some(Duration::from_secs(5)),
        escalate: Some(vec![Step { after: Duration::from_secs(900), receiver: "boss".to_owned() }]),
        ..RouteSpec::default()
    };
    let root = RouteSpec { receiver: Some("operators".to_owned()), routes: vec![on_call], ..RouteSpec::default() };
    let routes = Routes::build(&root, &|_| true).unwrap();
    let rules = Inhibition::standard();
    let silence = Silence {
        id: Uuid::from_u128(7),
        matchers: parse_list("host=~\"db-.*\"").unwrap(),
        created_by: "Ana".to_owned(),
        comment: String::new(),
        starts_at: at("2026-05-01T10:00:00Z"),
        ends_at: at("2026-05-01T11:00:00Z"),
    };
    let labels = |pairs: &[(&str, &str)]| Labels::from_pairs(pairs.to_vec()).unwrap();

    let critical = labels(&[("severity", "critical"), ("alertname", "disk"), ("host", "db-1")]);
    let quiet = Inhibitor::new(&rules, []);
    let seen =
        Preview::of(&routes, &quiet, std::slice::from_ref(&silence), critical.clone(), at("2026-05-01T11:00:00Z"));
    assert!(!seen.is_muted(), "the silence is over");
    let [told] = &seen.told[..] else { panic!("one route: {seen:?}") };
    assert_eq!((told.receiver.as_str(), told.route.as_str()), ("on-call", "{}/{severity=\"critical\"}"));
    assert_eq!(told.group, labels(&[("alertname", "disk")]));
    assert_eq!(told.first_at, at("2026-05-01T11:00:05Z"));
    assert_eq!((told.escalation[0].receiver.as_str(), told.escalation[0].at), ("boss", at("2026-05-01T11:15:05Z")));

    let during =
        Preview::of(&routes, &quiet, std::slice::from_ref(&silence), critical.clone(), at("2026-05-01T10:30:00Z"));
    assert_eq!(during.silenced_by, [silence]);

    let warning = labels(&[("severity", "warning"), ("alertname", "disk"), ("host", "db-1")]);
    let burning = Fingerprint::of("disk", &labels(&[("host", "db-1")]));
    let explained = Preview::of(&routes, &Inhibitor::new(&rules, [(burning, &critical)]), &[], warning, seen.at);
    assert_eq!((explained.inhibited_by.as_slice(), explained.is_muted()), (&[burning][..], true));
    assert_eq!(explained.told[0].receiver, "operators");

    let json = serde_json::to_value(&seen).unwrap();
    assert_eq!(json["told"][0]["group_wait"], 5);
    assert_eq!(json["told"][0]["escalation"][0]["after"], 900);
}
