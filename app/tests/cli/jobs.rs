//! `jobs`: looking at jobs, and acting on them.

use serde_json::{Value, json};

use crate::harness::{Place, id, on_both};

async fn enqueue(place: &Place, args: &[&str]) -> String {
    id(&place.ok(&[&["enqueue", "debug.noop"], args].concat()).await)
}

fn ids(list: &Value) -> Vec<&str> {
    list["items"].as_array().expect("a list").iter().map(|job| job["id"].as_str().expect("an id")).collect()
}

#[tokio::test]
async fn lists_are_filtered_and_go_on_from_their_cursor() {
    on_both(async |place| {
        let mut made = Vec::new();
        for _ in 0..5 {
            made.push(enqueue(&place, &[]).await);
        }
        let later = enqueue(&place, &["--delay", "1h"]).await;
        enqueue(&place, &["--queue", "default"]).await;

        let list = ["jobs", "list", "--state", "available", "--queue", "debug", "--limit", "2"];
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let more: &[&str] = if cursor.is_empty() { &[] } else { &["--cursor", &cursor] };
            let page = place.json(&[&list, more].concat()).await;
            assert!(ids(&page).len() <= 2);
            seen.extend(ids(&page).into_iter().map(str::to_owned));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        made.reverse();
        assert_eq!(seen, made, "newest first, each once");
        assert_eq!(ids(&place.json(&["jobs", "list", "--state", "scheduled"]).await), [later.as_str()]);
        assert_eq!(ids(&place.json(&["jobs", "list", "--kind", "debug.sleep"]).await).len(), 0);
        place.run(&["jobs", "list", "--cursor", "made up"]).await.refused(2, &["--cursor"]);
        place.run(&["jobs", "list", "--queue", "nope"]).await.refused(2, &["--queue", "nope", "debug"]);
    })
    .await;
}

#[tokio::test]
async fn a_list_is_a_table_for_people() {
    on_both(async |place| {
        enqueue(&place, &["--max-attempts", "1"]).await;
        place.bury_all().await;
        let out = place.ok(&["jobs", "list"]).await;
        let lines: Vec<&str> = out.lines().collect();
        assert!(lines[0].starts_with("ID ") && lines[0].contains("STATE"), "{out}");
        assert!(lines[1].contains("dead") && lines[1].contains("1/1") && lines[1].contains("ended "), "{out}");
        // No colour where no terminal is, and nothing that an error text could do to one.
        assert!(lines[1].ends_with("no [31m way") && !out.contains('\u{1b}'), "{out}");
    })
    .await;
}

#[tokio::test]
async fn one_job_is_shown_with_its_history() {
    on_both(async |place| {
        let job = enqueue(&place, &["--unique-key", "k", "--tag", "vip"]).await;
        place.bury_all().await;
        let out = place.ok(&["jobs", "show", &job]).await;
        for said in [&job, "debug.noop", "dead", "1 of 20", "k, until its end", "vip", "failed attempts", "no [31m way"]
        {
            assert!(out.contains(said), "{said} is not in {out}");
        }
        assert!(!out.contains('\u{1b}'), "{out}");
        let view = place.json(&["jobs", "show", &job]).await;
        assert_eq!(view["attempts"][0]["attempt"], 1);
        assert_eq!(view["last_error"], view["attempts"][0]["error"]);
        let nobody = "01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77";
        place.run(&["jobs", "show", nobody]).await.refused(1, &[nobody]);
    })
    .await;
}

#[tokio::test]
async fn what_the_arguments_of_a_job_tell_of_people_is_not_shown() {
    on_both(async |place| {
        let search = json!({
            "id": {"k": "01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77"}, "at": 1_796_100_000_000_i64, "subject": "user:emily",
            "guest": false, "consent": true, "query": "piano for Emily", "kind": "instructor", "device": "mobile",
            "results": 3,
        });
        let args = json!({"received_at": "2026-12-01T09:00:00Z", "searches": [search]}).to_string();
        let job = id(&place.ok(&["enqueue", "search.ingest", &args]).await);
        let out = place.ok(&["jobs", "show", &job]).await;
        assert!(out.contains("not shown: they tell of people") && !out.to_lowercase().contains("emily"), "{out}");
        let view = place.json(&["jobs", "show", &job]).await;
        assert_eq!((&view["kind"], &view["args"]), (&json!("search.ingest"), &Value::Null));
        assert!(!view.to_string().contains("emily"), "{view}");
    })
    .await;
}

#[tokio::test]
async fn several_jobs_are_cancelled_each_for_itself() {
    on_both(async |place| {
        let (one, two) = (enqueue(&place, &[]).await, enqueue(&place, &["--delay", "1h"]).await);
        place.ok(&["jobs", "cancel", &one]).await;
        let nobody = "01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77";
        let said = place.run(&["jobs", "cancel", &one, nobody, &two, "--json"]).await;
        assert_eq!(said.code, 1, "{said:?}");
        let answer: Value = serde_json::from_str(&said.out).unwrap();
        let expected = json!({"next_cursor": null, "items": [
            {"id": one, "outcome": "wrong_state", "state": "cancelled"},
            {"id": nobody, "outcome": "not_found"},
            {"id": two, "outcome": "cancelled"},
        ]});
        assert_eq!(answer, expected);
        assert_eq!(place.json(&["jobs", "show", &two]).await["state"], "cancelled");
    })
    .await;
}

#[tokio::test]
async fn a_dead_job_is_available_again_after_a_retry() {
    on_both(async |place| {
        let job = enqueue(&place, &["--unique-key", "k"]).await;
        place.run(&["jobs", "retry", &job]).await.refused(1, &[]);
        place.bury_all().await;
        let out = place.ok(&["jobs", "retry", &job]).await;
        assert!(out.contains("available again"), "{out}");
        let view = place.json(&["jobs", "show", &job]).await;
        assert_eq!((&view["state"], &view["attempt"]), (&json!("available"), &json!(0)));

        // While another job holds its key it stays where it is.
        place.bury_all().await;
        let holder = enqueue(&place, &["--unique-key", "k"]).await;
        let said = place.run(&["jobs", "retry", &job]).await;
        assert_eq!(said.code, 1);
        assert!(said.out.contains(&holder), "{said:?}");
    })
    .await;
}
