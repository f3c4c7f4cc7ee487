//! `postrider heartbeats`: beaten, listed, removed.

use crate::harness::Place;

#[tokio::test]
async fn a_heartbeat_is_beaten_listed_and_removed() {
    let place = Place::sqlite();
    place.ok(&["migrate"]).await;
    place.run(&["heartbeats", "beat", "backup"]).await.refused(2, &["the first beat brings --period"]);
    let said = place.ok(&["heartbeats", "beat", "backup", "--period", "24h", "--severity", "warning"]).await;
    assert!(said.starts_with("backup has beaten; it is late from 20"), "{said}");
    assert_eq!(place.json(&["heartbeats", "beat", "backup"]).await["beats"], 2);
    let listed = place.json(&["heartbeats", "list"]).await;
    assert_eq!((&listed["items"][0]["name"], &listed["items"][0]["grace"]), (&"backup".into(), &"144m".into()));
    assert!(place.json(&["heartbeats", "list", "--late"]).await["items"].as_array().unwrap().is_empty());
    let table = place.ok(&["heartbeats", "list"]).await;
    assert!(table.starts_with("NAME") && table.contains("backup") && table.contains("warning"), "{table}");
    assert_eq!(place.ok(&["heartbeats", "remove", "backup"]).await, "backup is removed\n");
    place.run(&["heartbeats", "remove", "backup"]).await.refused(2, &["there is no heartbeat of this name"]);
}

#[tokio::test]
async fn what_the_configuration_defines_is_changed_there() {
    let place = Place::sqlite().with("HEARTBEATS__EXPORT__PERIOD", "1h");
    place.ok(&["migrate"]).await;
    place.ok(&["heartbeats", "beat", "export"]).await;
    for command in [&["beat", "export", "--period", "2h"][..], &["remove", "export"]] {
        place.run(&[&["heartbeats"][..], command].concat()).await.refused(2, &["the configuration defines this"]);
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_where_it_is_read() {
    let place = Place::sqlite();
    place.ok(&["migrate"]).await;
    place.run(&["heartbeats", "beat", "a b", "--period", "1h"]).await.refused(2, &["NAME", "a-z"]);
    place.run(&["heartbeats", "beat", "x", "--period", "1s"]).await.refused(2, &["--period", "10s"]);
    place.run(&["heartbeats", "beat", "x", "--grace", "1m"]).await.refused(2, &["--period"]);
    let short = Place::sqlite().with("HEARTBEATS__X__PERIOD", "1s");
    short.run(&["worker"]).await.refused(2, &["heartbeats.x.period", "10s"]);
}
