//! `postrider secrets`: keys are printed, never shown again, and needed where mail leaves.

use crate::harness::Place;

#[tokio::test]
async fn a_new_key_is_a_line_that_the_configuration_takes() {
    let place = Place::sqlite();
    let line = place.ok(&["secrets", "new", "--id", "k1"]).await;
    assert!(line.starts_with("k1 = \"") && line.ends_with("=\"\n"), "{}", line.len());
    assert_ne!(place.ok(&["secrets", "new", "--id", "k1"]).await, line);
    place.write("keys.toml", &line);
    let file = place.path("keys.toml");
    let place = place.with("SECRETS__KEYS_FILE", &file).with("MAIL__TRANSPORT", "smtp://127.0.0.1");
    place.ok(&["migrate"]).await;
    place.run(&["secrets", "new", "--id", "K 1"]).await.refused(2, &["--id", "a-z, 0-9, _ and -"]);
}

#[tokio::test]
async fn where_mail_leaves_nothing_starts_without_a_key() {
    let place = Place::sqlite().with("MAIL__TRANSPORT", "smtp://127.0.0.1");
    for role in ["api", "worker"] {
        place.run(&[role]).await.refused(2, &["secrets.keys", "mail.transport", "postrider secrets new"]);
    }
}

#[tokio::test]
async fn a_file_of_keys_that_is_not_there_is_named() {
    let place = Place::sqlite().with("SECRETS__KEYS_FILE", "/nowhere/keys.toml");
    place.run(&["worker"]).await.refused(2, &["/nowhere/keys.toml"]);
}
