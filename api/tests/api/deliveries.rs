//! The ways out for a mail that is stuck: resend, cancel, resolve; and the story that is told of it.

use jiff::Timestamp;
use job::{JobId, JobState};
use serde_json::{Value, json};
use store::{AttemptReport, Category, DeliveryState, NewDelivery, Old, OnTheWire, Scope};
use uuid::Uuid;

use crate::harness::{Answer, App, new_id, new_key, uuid_of};

const TOKEN: u64 = 7;

fn now() -> Timestamp {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

/// A mail that its attempt has left in `state`.
async fn mail_in(app: &App, state: DeliveryState) -> Uuid {
    let id = new_id();
    let new = NewDelivery::new(id, id.to_string(), Category::Account, "welcome", "hello", "zoe@example.com");
    app.store.insert_deliveries(&[new], now()).await.unwrap();
    if state == DeliveryState::Queued {
        return id;
    }
    app.store.begin_sending(id, id, TOKEN, now()).await.unwrap();
    let wire = OnTheWire { message_id: "<m@example.com>".to_owned(), subject: "Welcome".to_owned() };
    app.store.mark_data(id, TOKEN, &wire, now()).await.unwrap();
    let report = AttemptReport { text: Some("no answer after the dot".to_owned()), ..AttemptReport::default() };
    let (store, now) = (&app.store, now());
    let settled = match state {
        DeliveryState::Unknown => store.mark_unknown(id, TOKEN, &report, now).await,
        DeliveryState::Held => store.mark_held(id, TOKEN, &report, now).await,
        DeliveryState::Sent => store.mark_sent(id, TOKEN, &report, now).await,
        DeliveryState::Failed => store.mark_failed(id, TOKEN, &report, now).await,
        other => panic!("no case needs {other}"),
    };
    assert!(settled.unwrap());
    id
}

async fn act(app: &App, id: Uuid, deed: &str, body: &str) -> Answer {
    app.post(&format!("/v1/deliveries/{id}/{deed}"), body).send().await
}

#[tokio::test]
async fn a_mail_of_which_nothing_is_left_is_not_sent_again_and_the_answer_says_why() {
    let app = App::start().await;
    let id = mail_in(&app, DeliveryState::Failed).await;
    app.store.take_out(Old::MailContents, Timestamp::MAX, now()).await.unwrap();
    let answer = act(&app, id, "resend", "").await;
    assert_eq!(answer.problem(409), Vec::<String>::new());
    assert!(answer.text().contains("what it said is no longer kept"), "{}", answer.text());
    let view = app.get(&format!("/v1/deliveries/{id}")).send().await.expect(200);
    assert_eq!(view["state"], "failed");
    assert!(
        view["story"].as_array().unwrap().last().unwrap().as_str().unwrap().contains("cannot be sent again"),
        "{view}"
    );
}

#[tokio::test]
async fn a_held_mail_is_sent_again_under_a_new_job_and_its_history_says_by_whom() {
    let app = App::start().await;
    let id = mail_in(&app, DeliveryState::Held).await;
    let view = act(&app, id, "resend", "").await.expect(200);
    assert_eq!((&view["state"], &view["attempt_count"]), (&json!("queued"), &json!(1)));
    assert_eq!(view["actions"][0]["action"], "resend");
    assert_eq!((&view["actions"][0]["found"], &view["actions"][0]["actor"]), (&json!("held"), &json!("API key test")));
    let job: JobId = view["job_id"].as_str().unwrap().parse().unwrap();
    let record = app.broker.get(job).await.unwrap().expect("it was enqueued");
    let envelope = record.envelope.unwrap();
    assert_eq!(record.state, JobState::Available);
    assert_eq!(envelope.unique_key.unwrap().as_str(), format!("delivery:{id}:r1"));
    assert!(view["story"][0].as_str().unwrap().contains("waits to be sent again"), "{}", view["story"]);
}

#[tokio::test]
async fn an_unknown_mail_is_resolved_and_says_in_words_what_is_known() {
    let app = App::start().await;
    for (outcome, state) in [("sent", "sent"), ("failed", "failed")] {
        let id = mail_in(&app, DeliveryState::Unknown).await;
        let told = app.get(&format!("/v1/deliveries/{id}")).send().await.expect(200)["story"].to_string();
        assert!(told.contains("Nobody knows whether it arrived") && told.contains("<m@example.com>"), "{told}");
        let view = act(&app, id, "resolve", &json!({ "outcome": outcome }).to_string()).await.expect(200);
        assert_eq!(view["state"], state);
        act(&app, id, "resolve", &json!({ "outcome": outcome }).to_string()).await.problem(409);
    }
    let id = mail_in(&app, DeliveryState::Unknown).await;
    assert_eq!(act(&app, id, "resolve", r#"{"outcome": "lost"}"#).await.problem(422), ["outcome"]);
    assert_eq!(act(&app, id, "resolve", "{}").await.problem(422), ["outcome"]);
    assert_eq!(act(&app, id, "resolve", r#"{"outcome": "sent", "why": "x"}"#).await.problem(422), ["why"]);
}

#[tokio::test]
async fn a_waiting_mail_is_called_off_once() {
    let app = App::start().await;
    let id = mail_in(&app, DeliveryState::Queued).await;
    assert_eq!(act(&app, id, "cancel", "").await.expect(200)["state"], "cancelled");
    act(&app, id, "cancel", "").await.problem(409);
    act(&app, id, "resend", "").await.problem(409);
}

#[tokio::test]
async fn what_is_over_stays_so_and_what_is_not_there_is_404() {
    let app = App::start().await;
    let id = mail_in(&app, DeliveryState::Sent).await;
    for (deed, body) in [("resend", ""), ("cancel", ""), ("resolve", r#"{"outcome": "failed"}"#)] {
        act(&app, id, deed, body).await.problem(409);
        act(&app, uuid_of(1), deed, body).await.problem(404);
        app.post(&format!("/v1/deliveries/nonsense/{deed}"), body).send().await.problem(404);
    }
    assert_eq!(app.get(&format!("/v1/deliveries/{id}")).send().await.expect(200)["actions"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn only_who_may_send_mails_may_act_on_them() {
    let app = App::start().await;
    let id = mail_in(&app, DeliveryState::Held).await;
    for (scope, status) in [(Scope::JobsRead, 403), (Scope::BookingsWrite, 403), (Scope::EmailsWrite, 200)] {
        let key = new_key(&app.store, &[scope], None).await;
        let answer = app.post(&format!("/v1/deliveries/{id}/resend"), "").key(&key).send().await;
        assert_eq!(answer.status.as_u16(), status, "{scope}");
    }
}
