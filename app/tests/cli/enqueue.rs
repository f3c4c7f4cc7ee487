//! `enqueue`: one job, checked as the API checks it.

use serde_json::json;

use crate::harness::{Place, id, names, on_both};

#[tokio::test]
async fn a_job_is_enqueued_and_its_id_stands_first() {
    on_both(async |place| {
        let out = place.ok(&["enqueue", "debug.noop"]).await;
        assert!(out.contains("available  debug.noop in queue debug"), "{out}");
        let job = place.json(&["jobs", "show", &id(&out)]).await;
        assert_eq!((&job["kind"], &job["state"]), (&json!("debug.noop"), &json!("available")));
    })
    .await;
}

#[tokio::test]
async fn the_first_job_makes_the_queue_and_its_folder() {
    let place = Place::sqlite();
    let url = place.file_url("not/there/yet/queue.db");
    let place = place.with("QUEUE__URL", &url);
    let out = place.ok(&["enqueue", "debug.noop"]).await;
    assert_eq!(place.json(&["jobs", "show", &id(&out)]).await["state"], "available");
}

#[tokio::test]
async fn every_flag_arrives_in_the_job() {
    on_both(async |place| {
        let flags = "--queue default --priority 0 --run-at 2036-01-01T00:00:00Z --max-attempts 3 --timeout 90s \
                     --expires-at 2037-01-01T00:00:00Z --unique-key k --unique-for 10m --tag a --tag b --json";
        let mut args = vec!["enqueue", "debug.sleep", r#"{"ms": 5}"#];
        args.extend(flags.split_whitespace());
        let accepted: serde_json::Value = serde_json::from_str(&place.ok(&args).await).unwrap();
        assert_eq!(names(&accepted), ["id", "kind", "queue", "run_at", "state"]);
        assert_eq!(accepted["state"], "scheduled");
        let job = place.json(&["jobs", "show", accepted["id"].as_str().unwrap()]).await;
        let expected = json!({
            "queue": "default", "priority": 0, "run_at": "2036-01-01T00:00:00Z", "due_at": "2036-01-01T00:00:00Z",
            "max_attempts": 3, "timeout": "90s", "expires_at": "2037-01-01T00:00:00Z", "unique_key": "k",
            "unique_for": "10m", "tags": ["a", "b"], "args": {"ms": 5}, "attempt": 0,
        });
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(&job[field], value, "{field}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_delay_counts_from_now() {
    let place = Place::sqlite();
    let out = place.ok(&["enqueue", "debug.noop", "--delay", "150m"]).await;
    assert!(out.contains("scheduled") && out.contains("due in 2h"), "{out}");
}

#[tokio::test]
async fn a_job_under_a_key_that_is_held_is_a_duplicate_of_the_first() {
    on_both(async |place| {
        let first = place.json(&["enqueue", "debug.noop", "--unique-key", "once"]).await;
        let again = place.json(&["enqueue", "debug.noop", "--unique-key", "once"]).await;
        assert_eq!(again["duplicate"], true);
        assert_eq!(
            (&again["id"], &again["state"], &again["run_at"]),
            (&first["id"], &json!("available"), &first["run_at"])
        );
        let said = place.ok(&["enqueue", "debug.noop", "--unique-key", "once"]).await;
        assert!(said.contains("duplicate") && said.contains("once"), "{said}");
    })
    .await;
}

#[tokio::test]
async fn arguments_come_from_a_file_or_from_standard_input() {
    let place = Place::sqlite();
    let file = place.write("args.json", "{\"key\": \"from a file\"}\n").display().to_string();
    let first = id(&place.ok(&["enqueue", "debug.effect", "--args-file", &file]).await);
    assert_eq!(place.json(&["jobs", "show", &first]).await["args"]["key"], "from a file");

    let said = place.run_with(&["enqueue", "debug.effect", "-"], r#"{"key": "from a pipe"}"#).await;
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(place.json(&["jobs", "show", &id(&said.out)]).await["args"]["key"], "from a pipe");
}

#[tokio::test]
async fn what_the_kind_cannot_use_is_refused_by_field() {
    let place = Place::sqlite();
    let refused =
        async |args: &[&str], words: &[&str]| place.run(&[&["enqueue"], args].concat()).await.refused(2, words);
    refused(&["debug.sleep", r#"{"ms": "x"}"#], &["args.ms"]).await;
    refused(&["debug.sleep", "{}"], &["ms"]).await;
    refused(&["debug.sleep", r#"{"ms": 99999999}"#], &["args.ms", "3600000"]).await;
    refused(&["debug.sleep", "{"], &["ARGS_JSON", "not JSON"]).await;
    refused(&["debug.sleep", "[1]"], &["ARGS_JSON", "object"]).await;
    refused(&["debug.sleep", "--args-file", "nowhere.json"], &["--args-file nowhere.json"]).await;
    refused(&["debug.sleep", "{}", "--args-file", "x"], &["--args-file"]).await;
    refused(&["no.such"], &["no.such", "booking.confirmed", "debug.noop"]).await;
    refused(&["debug.noop", "--queue", "elsewhere"], &["--queue", "elsewhere", "bookings, debug"]).await;
    refused(&["debug.noop", "--tag", "a", "--tag", "a"], &["--tag a", "twice"]).await;
    assert!(!place.dir.join("queue.db").exists(), "a refused job made a queue");
}

#[tokio::test]
async fn the_debug_kinds_exist_only_where_they_are_turned_on() {
    let place = Place::sqlite().with("DEBUG__KINDS", "false");
    place.run(&["enqueue", "debug.noop"]).await.refused(2, &["debug.noop", "debug.kinds", "--data"]);
}
