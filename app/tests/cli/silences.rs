//! `postrider alerts silence|silences|unsilence`: made, listed, ended.

use crate::harness::Place;

#[tokio::test]
async fn alerts_are_silenced_listed_and_heard_again() {
    let place = Place::sqlite();
    place.ok(&["migrate"]).await;
    let said = place
        .ok(&["alerts", "silence", "team=\"db\"", "host=~\"a|b\"", "--for", "2h", "--comment", "disks", "--by", "Ana"])
        .await;
    assert!(said.starts_with("silenced until ") && said.contains("{team=\"db\",host=~\"a|b\"}"), "{said}");
    let listed = place.json(&["alerts", "silences"]).await;
    let row = &listed["items"][0];
    assert_eq!(
        (&row["state"], &row["created_by"], &row["comment"]),
        (&"active".into(), &"Ana".into(), &"disks".into())
    );
    assert_eq!(row["matchers"][1], "host=~\"a|b\"");
    assert_eq!(row["actor"], "the command line");
    let shown = place.ok(&["alerts", "silences"]).await;
    assert!(shown.contains("in 1h") && shown.contains("disks"), "{shown}");
    let id = row["id"].as_str().unwrap();
    assert!(place.ok(&["alerts", "unsilence", id]).await.starts_with("over: "));
    assert!(place.json(&["alerts", "silences"]).await["items"].as_array().unwrap().is_empty());
    assert_eq!(place.json(&["alerts", "silences", "--state", "expired"]).await["items"][0]["id"], id);
}

#[tokio::test]
async fn what_cannot_be_silenced_is_refused_by_name() {
    let place = Place::sqlite();
    place.ok(&["migrate"]).await;
    place.run(&["alerts", "silence", "team", "--for", "2h"]).await.refused(2, &["MATCHER", "no matcher"]);
    place.run(&["alerts", "silence", "a=~\"(\"", "--for", "2h"]).await.refused(2, &["unclosed group"]);
    place.run(&["alerts", "silence", "a=~\".*\"", "--for", "2h"]).await.refused(2, &["MATCHER", "match everything"]);
    place.run(&["alerts", "silence", "a=b"]).await.refused(2, &["--for"]);
    place.run(&["alerts", "silence", "a=b", "--for", "2 years"]).await.refused(2, &["length of time"]);
    place.run(&["alerts", "silence", "a=b", "--for", "400d"]).await.refused(2, &["--for, --until", "366 days"]);
    place.run(&["alerts", "silence", "a=b", "--until", "2020-01-01T00:00:00Z"]).await.refused(2, &["--until"]);
    place.run(&["alerts", "silences", "--state", "over"]).await.refused(2, &["pending, active or expired"]);
    place.run(&["alerts", "unsilence", "01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77"]).await.refused(1, &["no such silence"]);
}
