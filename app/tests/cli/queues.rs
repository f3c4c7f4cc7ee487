//! `queues`: counts, and stopping and starting.

use serde_json::Value;

use crate::harness::{names, on_both};

fn queue<'a>(list: &'a Value, name: &str) -> &'a Value {
    list["items"].as_array().unwrap().iter().find(|queue| queue["name"] == name).unwrap()
}

#[tokio::test]
async fn queues_are_listed_with_their_counts() {
    on_both(async |place| {
        place.ok(&["enqueue", "debug.noop"]).await;
        place.ok(&["enqueue", "debug.noop", "--delay", "1h"]).await;
        let list = place.json(&["queues", "list"]).await;
        let all: Vec<&str> = list["items"].as_array().unwrap().iter().map(|q| q["name"].as_str().unwrap()).collect();
        assert_eq!(all, ["bookings", "debug", "default", "emails", "search"]);
        let debug = queue(&list, "debug");
        assert_eq!(names(debug), ["counts", "name", "oldest_age_seconds", "paused"]);
        assert_eq!((&debug["counts"]["available"], &debug["counts"]["scheduled"]), (&1.into(), &1.into()));
        assert!(debug["oldest_age_seconds"].as_f64().is_some());
        let table = place.ok(&["queues", "list"]).await;
        assert!(table.starts_with("QUEUE") && table.lines().count() == 6, "{table}");
    })
    .await;
}

#[tokio::test]
async fn a_queue_is_paused_and_resumed() {
    on_both(async |place| {
        place.ok(&["enqueue", "debug.noop"]).await;
        let out = place.ok(&["queues", "pause", "debug", "emails"]).await;
        assert!(out.contains("debug is paused; due and waiting: 1"), "{out}");
        assert_eq!(queue(&place.json(&["queues", "list"]).await, "debug")["paused"], true);
        assert!(place.ok(&["queues", "list"]).await.contains("paused"));
        let resumed = place.json(&["queues", "resume", "debug"]).await;
        assert_eq!(queue(&resumed, "debug")["paused"], false);
        assert_eq!(queue(&place.json(&["queues", "list"]).await, "emails")["paused"], true);
    })
    .await;
}

#[tokio::test]
async fn a_mistaken_name_changes_nothing_and_lists_those_there_are() {
    on_both(async |place| {
        place.ok(&["enqueue", "debug.noop"]).await;
        let said = place.run(&["queues", "pause", "debug", "emials"]).await;
        said.refused(2, &["emials", "bookings, debug, default, emails"]);
        assert_eq!(queue(&place.json(&["queues", "list"]).await, "debug")["paused"], false);
    })
    .await;
}
