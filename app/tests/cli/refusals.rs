//! What is wrong stops a command before it does anything, with exit code 2, and is named.

use std::process::Stdio;

use crate::harness::Place;

#[tokio::test]
async fn an_unknown_key_stops_every_command_and_is_named() {
    let place = Place::sqlite().with("QUEUE__LEESE", "10s");
    for command in
        [&["jobs", "list"][..], &["migrate"], &["keys", "list"], &["doctor"], &["worker"], &["api"], &["dev"]]
    {
        place.run(command).await.refused(2, &["queue.leese", "POSTRIDER__QUEUE__LEESE"]);
    }
    let place = Place::sqlite();
    let file = place.write("postrider.toml", "[qeueu]\nurl = \"sqlite:x\"\n").display().to_string();
    place.run(&["queues", "list", "--config", &file]).await.refused(2, &["qeueu", "postrider.toml"]);
}

#[tokio::test]
async fn a_bad_value_is_named_with_one_that_works() {
    let place = Place::sqlite().with("QUEUE__URL", "reddis://localhost");
    place.run(&["jobs", "list"]).await.refused(2, &["queue.url", "reddis", "example"]);
    place.run(&["jobs", "list", "--config", "nowhere.toml"]).await.refused(2, &["nowhere.toml"]);
}

#[tokio::test]
async fn a_flag_that_makes_no_sense_is_named() {
    let place = Place::sqlite();
    let cases: [(&[&str], &str); 16] = [
        (&["jobs", "list", "--limit", "0"], "--limit"),
        (&["jobs", "list", "--limit", "1001"], "--limit"),
        (&["jobs", "list", "--state", "asleep"], "--state"),
        (&["jobs", "list", "--queue", "No Queue"], "--queue"),
        (&["jobs", "show", "42"], "not a job id"),
        (&["jobs", "cancel"], "<ID>"),
        (&["jobs", "retry", "--all-dead"], "--queue"),
        (&["jobs", "retry"], "<ID>"),
        (&["enqueue", "Not A Kind"], "<KIND>"),
        (&["enqueue", "debug.noop", "--priority", "10"], "--priority"),
        (&["enqueue", "debug.noop", "--delay", "soon"], "--delay"),
        (&["enqueue", "debug.noop", "--run-at", "tomorrow"], "--run-at"),
        (&["enqueue", "debug.noop", "--delay", "1m", "--run-at", "2026-11-24T09:00:00Z"], "--run-at"),
        (&["enqueue", "debug.noop", "--unique-for", "1m"], "--unique-key"),
        (&["enqueue", "debug.noop", "--timeout", "0"], "--timeout"),
        (&["keys", "create", "x", "--scope", "jobs:wrte"], "--scope"),
    ];
    for (args, named) in cases {
        place.run(args).await.refused(2, &[named]);
    }
    assert!(!place.dir.join("queue.db").exists(), "a refused command made a file");
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_an_error_and_no_new_file() {
    let place = Place::sqlite();
    for command in [&["jobs", "list"][..], &["queues", "list"], &["queues", "pause", "emails"]] {
        place.run(command).await.refused(1, &["queue.url", "queue.db", "--data"]);
    }
    assert!(!place.dir.join("queue.db").exists());
}

#[tokio::test]
async fn a_server_that_is_away_is_named_without_its_password() {
    let port = testkit::free_port();
    let place = Place::sqlite().with("QUEUE__URL", &format!("redis://me:hunter2@127.0.0.1:{port}/0"));
    for command in [&["jobs", "list"][..], &["enqueue", "debug.noop"]] {
        let said = place.run(command).await;
        said.refused(1, &["queue.url", &format!("127.0.0.1:{port}")]);
        assert!(!said.err.contains("hunter2"), "{}", said.err);
    }
    let place = Place::sqlite()
        .with("STORE__URL", &format!("postgres://me:hunter2@127.0.0.1:{port}/postrider"))
        .with("STORE__ACQUIRE_TIMEOUT", "200ms");
    for command in [&["keys", "list"][..], &["migrate"], &["migrate", "--status"]] {
        let said = place.run(command).await;
        said.refused(1, &["store.url", &format!("127.0.0.1:{port}")]);
        assert!(!said.err.contains("hunter2"), "{}", said.err);
    }
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_is_no_failure() {
    let place = Place::sqlite();
    place.ok(&["enqueue", "debug.noop"]).await;
    let mut child = tokio::process::Command::new(crate::harness::POSTRIDER)
        .args(["jobs", "list"])
        .env("POSTRIDER__QUEUE__URL", place.file_url("queue.db"))
        .current_dir(&place.dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Gone long before the queue is opened and the list is written.
    drop(child.stdout.take());
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[tokio::test]
async fn an_environment_of_any_bytes_is_read_and_only_ours_must_be_text() {
    use std::os::unix::ffi::OsStrExt;
    let odd = std::ffi::OsStr::from_bytes(b"\xff");
    let place = Place::sqlite();
    let with = |name: &'static str| {
        let mut command = tokio::process::Command::new(crate::harness::POSTRIDER);
        command.args(["migrate", "--status"]).env("POSTRIDER__STORE__URL", place.file_url("store.db")).env(name, odd);
        async move { command.output().await.unwrap() }
    };
    place.ok(&["migrate"]).await;
    let others = with("SOMETHING").await;
    assert_eq!(others.status.code(), Some(0), "{others:?}");
    let ours = with("POSTRIDER__QUEUE__PREFIX").await;
    let said = String::from_utf8_lossy(&ours.stderr).into_owned();
    assert!(ours.status.code() == Some(2) && said.contains("POSTRIDER__QUEUE__PREFIX: is not UTF-8"), "{said}");
}

#[tokio::test]
async fn a_queue_named_twice_is_a_mistake() {
    Place::sqlite().run(&["worker", "--queues", "emails:3,emails:1"]).await.refused(2, &["emails:1", "twice"]);
}
