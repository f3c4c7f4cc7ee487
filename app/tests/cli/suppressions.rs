//! `postrider suppressions`: added, listed, lifted.

use crate::harness::Place;

#[tokio::test]
async fn an_address_is_suppressed_listed_and_lifted() {
    let place = Place::sqlite();
    place.ok(&["migrate"]).await;
    let said = place.ok(&["suppressions", "add", "Ana@Example.com", "--note", "asked by phone"]).await;
    assert_eq!(said, "no mail to Ana@example.com, from now on\n");
    let again = place.ok(&["suppressions", "add", "ana@example.com"]).await;
    assert!(again.contains("since") && again.contains("(manual)"), "{again}");
    let listed = place.json(&["suppressions", "list"]).await;
    assert_eq!(listed["items"][0]["address"], "ana@example.com");
    assert_eq!(listed["items"][0]["detail"], "asked by phone");
    let shown = place.ok(&["suppressions", "list", "--address", "ANA@example.com"]).await;
    assert!(shown.contains("ana@example.com") && shown.contains("in force") && shown.contains("manual"), "{shown}");
    let lifted = place.ok(&["suppressions", "lift", "ana@example.com"]).await;
    assert!(lifted.contains("lifted: ana@example.com (manual, covered all)"), "{lifted}");
    assert!(place.json(&["suppressions", "list"]).await["items"].as_array().unwrap().is_empty());
    assert_eq!(place.json(&["suppressions", "list", "--lifted"]).await["items"][0]["lifted_by"], "the command line");
    place.run(&["suppressions", "lift", "ana@example.com"]).await.refused(1, &["no such suppression"]);
}

#[tokio::test]
async fn what_is_no_address_is_refused_where_it_is_read() {
    let place = Place::sqlite();
    place.run(&["suppressions", "add", "nobody"]).await.refused(2, &["ADDRESS"]);
    place.run(&["suppressions", "add", "a@b.example", "--covers", "some"]).await.refused(2, &["all or report"]);
    place.run(&["suppressions", "lift", "x"]).await.refused(2, &["ID|ADDRESS"]);
    place.run(&["suppressions", "add", "*@b.example"]).await.refused(2, &["whole domains"]);
    place.ok(&["migrate"]).await;
    place.run(&["suppressions", "list", "--cursor", "zzz"]).await.refused(2, &["--cursor"]);
}
