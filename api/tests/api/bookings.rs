//! What happens to bookings.

use jiff::Timestamp;
use job::{Clock, Envelope, IdSource, Kind, QueueName, SystemClock, UniqueKey};
use queue::{Disposition, Enqueued};
use serde_json::{Value, json};
use store::{Category, FanOut, NewDelivery};

use crate::harness::{App, uuid_of};

const EVENTS: &str = "/v1/bookings/bk_1001/events";

pub fn example() -> Value {
    serde_json::from_str(include_str!("../../../examples/booking-confirmed.json")).unwrap()
}

fn now() -> Timestamp {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

/// A job of the queue that is about no booking.
fn stranger() -> Envelope {
    let queue = QueueName::new("bookings").unwrap();
    let id = IdSource::new(std::sync::Arc::new(SystemClock)).next(&queue);
    let args = serde_json::value::to_raw_value(&json!({})).unwrap();
    Envelope::raw(id, Kind::new("debug.noop").unwrap(), queue, args, SystemClock.now())
}

#[tokio::test]
async fn an_event_is_accepted_once_and_a_repeat_is_a_duplicate_of_it() {
    let app = App::start().await;
    let first = app.post(EVENTS, &example().to_string()).send().await.expect(202);
    assert_eq!(first["kind"], "booking.confirmed");
    assert_eq!(first["queue"], "bookings");
    assert_eq!(first["state"], "available");
    let again = app.post(EVENTS, &example().to_string()).send().await.expect(200);
    assert_eq!((&again["id"], &again["duplicate"]), (&first["id"], &json!(true)));

    let done = app.finish_all("bookings", Disposition::Completed { result: None }).await;
    assert_eq!(done.len(), 1, "the key let one through");
    assert_eq!(done[0].to_string(), first["id"]);

    let after = app.post(EVENTS, &example().to_string()).send().await.expect(200);
    assert_eq!(after["id"], first["id"]);
    let again = app.finish_all("bookings", Disposition::Completed { result: None }).await;
    assert_eq!(again.len(), 1, "the fan-out runs again, under an id of its own");
    assert_ne!(again[0].to_string(), first["id"]);
}

#[tokio::test]
async fn a_callers_unique_key_never_stands_in_the_way_of_an_event_or_a_tick() {
    let app = App::start().await;
    let strangers = ["booking:bk_1001:v1", "tick:heartbeat:1764000000000"];
    for key in strangers {
        let job = json!({"kind": "debug.noop", "queue": "bookings", "unique_key": key, "delay": "3650d"});
        let stranger = app.post("/v1/jobs", &job.to_string()).send().await.expect(202);
        let batch = json!({"jobs": [job]}).to_string();
        let again = app.post("/v1/jobs/batch", &batch).send().await.expect(200);
        assert_eq!((&again["results"][0]["id"], &again["results"][0]["duplicate"]), (&stranger["id"], &json!(true)));
        let path = format!("/v1/jobs/{}", stranger["id"].as_str().unwrap());
        assert_eq!(app.get(&path).send().await.expect(200)["unique_key"], key, "shown as it was written");
    }
    let event = app.post(EVENTS, &example().to_string()).send().await.expect(202);
    assert_eq!((&event["kind"], &event["state"]), (&json!("booking.confirmed"), &json!("available")));
    let heartbeat = worker::ticks::key("heartbeat", Timestamp::from_millisecond(1_764_000_000_000).unwrap());
    assert_eq!(heartbeat.as_str(), strangers[1]);
    let tick = stranger().with_unique_key(heartbeat);
    assert_eq!(app.broker.enqueue(&[tick.into()]).await.unwrap(), [Enqueued::New]);
}

#[tokio::test]
async fn an_event_whose_key_a_job_of_another_kind_holds_is_not_called_accepted() {
    let app = App::start().await;
    let thief = stranger().with_unique_key(UniqueKey::new("booking:bk_1001:v1").unwrap());
    app.broker.enqueue(&[thief.into()]).await.unwrap();
    app.post(EVENTS, &example().to_string()).send().await.problem(503);
    app.post(EVENTS, &example().to_string()).send().await.problem(503);
    app.finish_all("bookings", Disposition::Completed { result: None }).await;
    app.post(EVENTS, &example().to_string()).send().await.expect(200);
    assert_eq!(app.finish_all("bookings", Disposition::Completed { result: None }).await.len(), 1);
}

#[tokio::test]
async fn the_same_version_with_other_content_is_a_conflict() {
    let app = App::start().await;
    app.post(EVENTS, &example().to_string()).send().await.expect(202);
    let mut other = example();
    other["booking"]["starts_at"] = json!("2026-12-02T17:00:00Z");
    assert_eq!(app.post(EVENTS, &other.to_string()).send().await.problem(409), ["booking.version"]);
    other["booking"]["version"] = json!(2);
    app.post(EVENTS, &other.to_string()).send().await.expect(202);
}

#[tokio::test]
async fn an_intent_whose_job_was_lost_is_enqueued_under_its_first_id() {
    let app = App::start().await;
    let first = app.post(EVENTS, &example().to_string()).send().await.expect(202);
    // The same store, a queue that knows nothing: Redis was lost.
    let lost = App::builder().broker(crate::harness::queue().await).start().await;
    let event = app.store.get_event("bk_1001", 1).await.unwrap().unwrap();
    let new = store::NewBookingEvent {
        booking_id: event.booking_id,
        version: event.version,
        event: event.event,
        content_hash: store::content_hash(event.event, &event.snapshot),
        snapshot: event.snapshot,
        job_id: event.job_id,
    };
    lost.store.accept_event(&new, now()).await.unwrap();
    let again = lost.post(EVENTS, &example().to_string()).send().await.expect(200);
    assert_eq!(again["id"], first["id"]);
    lost.get(&format!("/v1/jobs/{}", first["id"].as_str().unwrap())).send().await.expect(200);
}

#[tokio::test]
async fn every_example_of_an_event_is_accepted() {
    let app = App::start().await;
    let in_person = include_str!("../../../examples/booking-in-person.json");
    app.post("/v1/bookings/bk_2002/events", in_person).send().await.expect(202);
    for (kind, text) in [
        ("booking.rescheduled", include_str!("../../../examples/booking-rescheduled.json")),
        ("booking.cancelled", include_str!("../../../examples/booking-cancelled.json")),
        ("booking.completed", include_str!("../../../examples/booking-completed.json")),
    ] {
        let id = kind.replace('.', "_");
        let accepted = app.post(&format!("/v1/bookings/{id}/events"), text).send().await.expect(202);
        assert_eq!(accepted["kind"], kind);
    }
    app.post("/v1/jobs", include_str!("../../../examples/job-effect.json")).send().await.expect(202);
    let batch = app.post("/v1/jobs/batch", include_str!("../../../examples/jobs-batch.json")).send().await.expect(200);
    assert!(batch["results"].as_array().unwrap().iter().all(|r| r["id"].is_string()), "{batch}");
}

#[tokio::test]
async fn each_bad_field_is_named() {
    let app = App::start().await;
    for (pointer, bad, field) in [
        ("/event", json!("exploded"), "event"),
        ("/event", json!(7), "event"),
        ("/booking/version", json!(0), "booking.version"),
        ("/booking/version", json!(9_007_199_254_740_992_i64), "booking.version"),
        ("/booking/version", json!(1.5), "booking.version"),
        ("/booking/version", json!("1"), "booking.version"),
        ("/booking/service", json!(""), "booking.service"),
        ("/booking/service", json!("x".repeat(201)), "booking.service"),
        ("/booking/service", json!("a\nBcc: x"), "booking.service"),
        ("/booking/starts_at", json!("tomorrow"), "booking.starts_at"),
        ("/booking/starts_at", json!("2026-12-01T17:00:00"), "booking.starts_at"),
        ("/booking/starts_at", json!("2026-12-01T17:00:00+25:00"), "booking.starts_at"),
        ("/booking/starts_at", json!("2026-12-01T17:00:00-08:00[America/Vancouver]"), "booking.starts_at"),
        ("/booking/starts_at", json!(1_764_608_400), "booking.starts_at"),
        ("/booking/duration_minutes", json!(0), "booking.duration_minutes"),
        ("/booking/duration_minutes", json!(-5), "booking.duration_minutes"),
        ("/booking/location", json!("a\u{0}b"), "booking.location"),
        ("/booking/url", json!("javascript:alert(1)"), "booking.url"),
        ("/booking/price/amount", json!("45,00"), "booking.price.amount"),
        ("/booking/price/amount", json!(45), "booking.price.amount"),
        ("/booking/price/currency", json!("usd"), "booking.price.currency"),
        ("/booking/student/id", json!("a b"), "booking.student.id"),
        ("/booking/student/id", json!("x".repeat(129)), "booking.student.id"),
        ("/booking/student/name", json!("Zoë\r\nBcc: all@example.com"), "booking.student.name"),
        ("/booking/student/name", json!(" "), "booking.student.name"),
        ("/booking/student/name", json!("\u{FEFF}\u{AD}"), "booking.student.name"),
        ("/booking/student/email", json!("zoe@example.com\r\nRCPT TO:<x@example.com>"), "booking.student.email"),
        ("/booking/student/email", json!("no-at"), "booking.student.email"),
        ("/booking/student/email", json!("a@b@"), "booking.student.email"),
        ("/booking/student/timezone", json!("Mars/Olympus"), "booking.student.timezone"),
        ("/booking/student/timezone", json!("+02:00"), "booking.student.timezone"),
        ("/booking/student/timezone", json!("Etc/Unknown"), "booking.student.timezone"),
        ("/booking/student/timezone", json!("Factory"), "booking.student.timezone"),
        ("/booking/instructor/name", json!("Jos\u{202E}é"), "booking.instructor.name"),
        ("/booking/instructor/locale", json!("e"), "booking.instructor.locale"),
        ("/booking/instructor/email", json!(null), "booking.instructor.email"),
        ("/booking/reminders", json!(["soon"]), "booking.reminders[0]"),
        ("/booking/reminders", json!(["1h", "60m"]), "booking.reminders[1]"),
        ("/booking/reminders", json!(["2m", "120500ms"]), "booking.reminders[1]"),
        ("/booking/cancelled_by", json!("weather"), "booking.cancelled_by"),
    ] {
        let mut body = example();
        *body.pointer_mut(pointer).unwrap_or(&mut Value::Null) = bad.clone();
        if body.pointer(pointer).is_none() {
            let name = pointer.rsplit('/').next().unwrap();
            body["booking"][name] = bad.clone();
        }
        let fields = app.post(EVENTS, &body.to_string()).send().await.problem(422);
        assert_eq!(fields, [field], "{pointer} = {bad}");
    }
}

#[tokio::test]
async fn all_bad_fields_are_named_at_once_and_missing_and_unknown_ones_too() {
    let app = App::start().await;
    let mut body = example();
    body["booking"]["version"] = json!(0);
    body["booking"]["student"]["email"] = json!("nobody");
    body["booking"]["instructor"]["timezone"] = json!("Nowhere");
    let fields = app.post(EVENTS, &body.to_string()).send().await.problem(422);
    assert_eq!(fields, ["booking.version", "booking.student.email", "booking.instructor.timezone"]);

    let mut body = example();
    body["booking"]["student"].as_object_mut().unwrap().remove("name");
    assert_eq!(app.post(EVENTS, &body.to_string()).send().await.problem(422), ["booking.student.name"]);
    let mut body = example();
    body["booking"]["instructor"]["phone"] = json!("1");
    assert_eq!(app.post(EVENTS, &body.to_string()).send().await.problem(422), ["booking.instructor.phone"]);
    assert_eq!(app.post("/v1/bookings/a%20b/events", &example().to_string()).send().await.problem(422), ["id"]);
    assert_eq!(app.post(&format!("/v1/bookings/{}/events", "x".repeat(129)), "{}").send().await.problem(422), ["id"]);
}

#[tokio::test]
async fn a_booking_and_its_mails_can_be_looked_at() {
    let app = App::start().await;
    app.get("/v1/bookings/bk_1001").send().await.problem(404);
    app.post(EVENTS, &example().to_string()).send().await.expect(202);
    app.store
        .apply_event("bk_1001", 1, now(), |_, booking| {
            let (template, to) = ("booking_confirmed_student", booking.student.email.as_str());
            let key = format!("booking:bk_1001:v1:{template}:student");
            FanOut::from(vec![NewDelivery {
                recipient_name: Some(booking.student.name.clone()),
                booking_id: Some(booking.id.clone()),
                job_id: uuid_of(6),
                ..NewDelivery::new(uuid_of(5), key, Category::Booking, template, "bookings", to)
            }])
        })
        .await
        .unwrap();

    let booking = app.get("/v1/bookings/bk_1001").send().await.expect(200);
    assert_eq!(booking["status"], "confirmed");
    assert_eq!(booking["student"]["name"], "Zoë Lindström");
    assert_eq!(booking["price"], json!({"amount": "45.00", "currency": "USD"}));
    assert_eq!(booking["deliveries"][0]["recipient"], "zoe.lindstrom@example.com");
    assert_eq!(booking["reminder_offsets"], json!(["24h", "1h"]));
    let first = &booking["reminders"][0];
    assert_eq!((&first["offset"], &first["role"]), (&json!("24h"), &json!("student")));
    assert_eq!(first["due_at"], "2026-11-30T17:00:00Z");
    assert_eq!(booking["reminders"].as_array().unwrap().len(), 4);

    let id = uuid_of(5);
    for query in ["recipient=zoe.lindstrom@example.com", "booking=bk_1001", "state=queued", "limit=1"] {
        let list = app.get(&format!("/v1/deliveries?{query}")).send().await.expect(200);
        assert_eq!(list["items"][0]["id"], id.to_string(), "{query}");
    }
    assert_eq!(app.get("/v1/deliveries?state=sent").send().await.expect(200)["items"], json!([]));
    let one = app.get(&format!("/v1/deliveries/{id}")).send().await.expect(200);
    assert_eq!((&one["state"], &one["attempts"]), (&json!("queued"), &json!([])));
    app.get("/v1/deliveries/nonsense").send().await.problem(404);
    app.get(&format!("/v1/deliveries/{}", uuid_of(9))).send().await.problem(404);
    for (query, field) in [
        ("recipient=nobody", "recipient"),
        ("recipient=%00", "recipient"),
        ("booking=%00", "booking"),
        ("state=lost", "state"),
        ("cursor=%F0%9F", "cursor"),
        ("cursor=abc", "cursor"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=-1", "limit"),
        ("to=x", "to"),
        ("state=sent&state=held", "state"),
    ] {
        assert_eq!(app.get(&format!("/v1/deliveries?{query}")).send().await.problem(422), [field], "{query}");
    }
}
