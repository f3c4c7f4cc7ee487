//! The search report from its schedule's job to the reader's mailbox: with its charts, once, and unsubscribed from.

use std::sync::Arc;

use jiff::Timestamp;
use job::{Clock, JobId, JobState, ManualClock};
use mail::Verdict;
use queue::JobRecord;
use serde_json::{Value, json};
use store::{
    Category, Delivery, DeliveryFilter, DeliveryState, EventId, IncidentFilter, IncidentState, InteractionKind,
    NewDelivery, NewInteraction, NewSearch,
};
use worker::search_report::ReportRules;

use crate::mails::Post;
use crate::relays::settled;
use crate::search::search as stranger;
use crate::stage::{Stage, queue, share};

const READERS: [&str; 2] = ["ops@example.com", "Ana@example.com"];

/// A worker on a Wednesday morning, and who wants the reports.
async fn open(readers: &[&str]) -> (Post, ManualClock) {
    let clock = ManualClock::at("2026-11-25T06:00:00Z".parse().unwrap());
    let mut stage = Stage::at(&clock).await;
    stage.context.public_url = "https://jobs.example.com".to_owned();
    stage.context.search_report = Arc::new(ReportRules {
        recipients: readers.iter().map(|reader| (*reader).to_owned()).collect(),
        sender: "bookings".to_owned(),
        ..ReportRules::default()
    });
    (Post::with(stage).await, clock)
}

async fn report(post: &Post, args: Value) -> JobId {
    post.stage.enqueue(post.stage.envelope_in("default", "search.report", args)).await
}

async fn done(post: &Post, id: JobId) -> JobRecord {
    post.stage.until(id, JobState::Completed).await
}

async fn ledger(post: &Post) -> Vec<Delivery> {
    post.stage.context.store.list_deliveries(&DeliveryFilter::default(), 100, None).await.unwrap().items
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_reader_gets_one_whoever_asks_again_and_however_often() {
    let (post, clock) = open(&READERS).await;
    let runner = post.stage.runner(|settings| settings.queues.push(share("default")));
    for _ in 0..3 {
        let id = report(&post, json!({"period": "weekly"})).await;
        let result = done(&post, id).await.result.unwrap();
        let result: Value = serde_json::from_str(&result).unwrap();
        assert_eq!((&result["from"], &result["mails"]), (&json!("2026-11-16"), &json!(2)));
    }
    post.caught(2).await;
    let mails = ledger(&post).await;
    assert_eq!(mails.len(), 2);
    assert!(mails.iter().all(|mail| mail.category == Category::Report && mail.template == "search_report"));
    let mut to: Vec<String> = post.catcher.inbox().list().iter().map(|mail| mail.to.clone()).collect();
    to.sort_unstable();
    assert_eq!(to, ["Ana@example.com", "ops@example.com"]);
    let mail = post.catcher.inbox().list().remove(0);
    assert_eq!(mail.subject, "Weekly search report: 16 to 22 November 2026 (UTC)");
    assert_eq!((mail.spf, mail.dkim, mail.dmarc), (Verdict::Pass, Verdict::Pass, Verdict::Pass));
    let text = mail.text().unwrap();
    assert!(text.contains("No search was recorded in this time"), "{text}");
    let incidents = post.stage.context.store.list_incidents(&IncidentFilter::default(), 10, None).await.unwrap();
    assert!(incidents.items.is_empty(), "of nothing no figure is an alert");
    assert_eq!(clock.now().to_string(), "2026-11-25T06:00:00Z");
    assert_eq!(runner.shut_down().await, 0);
}

/// The searches of a day, of which so many found nothing, and so many led to a booking, through the job that writes them.
async fn searched(post: &Post, day: &str, count: usize, zero: usize, booked: usize) {
    let at: Timestamp = format!("{day}T10:00:00Z").parse().unwrap();
    let id = |what: &str, n: usize| EventId::new(&format!("{day}-{what}-{n}"));
    let search = |n: usize| NewSearch { id: id("s", n), results: u32::from(n >= zero), ..stranger("", at) };
    let book = |n: usize| NewInteraction {
        id: id("b", n),
        at,
        search: id("s", count - 1 - n).key,
        kind: InteractionKind::Book,
        item: None,
        position: None,
        after_ms: None,
    };
    let (searches, bookings): (Vec<_>, Vec<_>) = ((0..count).map(search).collect(), (0..booked).map(book).collect());
    let batch = json!({"received_at": at, "searches": searches, "interactions": bookings});
    let id = post.stage.enqueue(post.stage.envelope_in("search", "search.ingest", batch)).await;
    done(post, id).await;
}

/// The incidents of search figures: of which type, and in which state.
async fn incidents(post: &Post) -> Vec<(String, IncidentState)> {
    let found = post.stage.context.store.list_incidents(&IncidentFilter::default(), 10, None).await.unwrap();
    let mut all: Vec<_> = found.items.into_iter().map(|incident| (incident.kind, incident.state)).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_has_counted_yet_is_counted_before_it_is_told() {
    let (post, _) = open(&READERS[..1]).await;
    let runner = post.stage.runner(|settings| settings.queues.extend([share("default"), share("search")]));
    searched(&post, "2026-11-23", 2, 0, 0).await;
    searched(&post, "2026-11-24", 3, 1, 0).await;
    let id = report(&post, json!({"period": "daily"})).await;
    let result: Value = serde_json::from_str(&done(&post, id).await.result.unwrap()).unwrap();
    assert_eq!((&result["from"], &result["searches"]), (&json!("2026-11-24"), &json!(3)));
    post.caught(1).await;
    let text = post.catcher.inbox().list().remove(0).text().unwrap();
    assert!(text.contains("Searches: 3 (before: 2, +50.0 %)"), "{text}");
    assert!(text.contains("Searchers: no data"), "nobody consented: {text}");
    assert_eq!(runner.shut_down().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_beyond_their_thresholds_are_incidents_until_they_are_not() {
    let (post, _) = open(&[]).await;
    let runner = post.stage.runner(|settings| settings.queues.extend([share("default"), share("search")]));
    let day = async |day: &str, zero: usize, booked: usize| {
        searched(&post, day, 120, zero, booked).await;
        let rollup = post.stage.enqueue(post.stage.envelope_in("default", "search.rollup", json!({}))).await;
        done(&post, rollup).await;
        let id = report(&post, json!({"period": "daily", "day": day})).await;
        let result: Value = serde_json::from_str(&done(&post, id).await.result.unwrap()).unwrap();
        (result["alerts"].as_u64().unwrap(), incidents(&post).await)
    };
    assert_eq!(day("2026-11-22", 12, 12).await, (0, vec![]));
    let named = |state| ["search.conversion", "search.zero_results"].map(|kind| (kind.to_owned(), state)).to_vec();
    assert_eq!(day("2026-11-23", 60, 3).await, (2, named(IncidentState::Open)));
    assert_eq!(day("2026-11-24", 12, 12).await, (0, named(IncidentState::Resolved)));
    assert_eq!(runner.shut_down().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_that_is_asked_for_by_its_day_is_that_of_its_week_and_one_to_come_is_refused() {
    let (post, _) = open(&READERS[..1]).await;
    let runner = post.stage.runner(|settings| settings.queues.push(share("default")));
    let id = report(&post, json!({"period": "weekly", "day": "2026-11-04"})).await;
    done(&post, id).await;
    assert!(ledger(&post).await[0].data["period"].as_str().unwrap().starts_with("2 to 8 November 2026"));
    let id = report(&post, json!({"period": "daily", "day": "2026-11-25"})).await;
    let dead = post.stage.until(id, JobState::Dead).await;
    assert!(dead.errors[0].error.contains("25 November 2026 is not over yet"), "{:?}", dead.errors);
    assert_eq!(runner.shut_down().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_charts_travel_inside_the_mail_and_its_link_ends_the_reports() {
    let (post, _) = open(&[]).await;
    let context = &post.stage.context;
    let id = context.ids.next(&queue("emails")).uuid();
    let mut data: Value =
        serde_json::from_str(include_str!("../../../email_templates/search_report/sample.json")).unwrap();
    data["unsubscribe_url"] = Value::Null;
    let new = NewDelivery::new(id, "report", Category::Report, "search_report", "bookings", READERS[0]);
    let now = context.clock.now();
    let written = context.store.insert_deliveries(&[NewDelivery { data, ..new }], now).await.unwrap();
    post.stage.enqueue(worker::intents::delivery(&written[0], now)).await;
    let runner = post.stage.runner(|_| {});
    post.caught(1).await;
    let mail = post.catcher.inbox().list().remove(0);
    assert_eq!((mail.dkim, mail.dmarc), (Verdict::Pass, Verdict::Pass), "the pictures are signed with the rest");

    let raw = String::from_utf8(mail.raw.clone()).unwrap();
    assert!(raw.contains("Content-Type: multipart/related;"), "{raw}");
    assert_eq!(raw.matches("Content-Type: image/png").count(), 2);
    assert!(raw.contains("Content-ID: <searches.sample@postrider>"), "{raw}");
    let html = mail.html().unwrap();
    assert!(
        html.contains("src=\"cid:searches.sample@postrider\" ") && html.contains("alt=\"Searches a day. "),
        "{html}"
    );
    let shown = mail.html_with_pictures().unwrap();
    assert_eq!(shown.matches("src=\"data:image/png;base64,iVBOR").count(), 2);
    let text = mail.text().unwrap();
    assert!(text.contains("- Mon 16: 1,690 (before: 1,588)"), "{text}");

    // The link in the text is that of the header, made when the mail went, and not in the store.
    let header =
        raw.replace("\r\n ", "").lines().find(|line| line.starts_with("List-Unsubscribe:")).unwrap().to_owned();
    let link = header.split(['<', '>']).nth(1).unwrap().to_owned();
    assert!(link.starts_with("https://jobs.example.com/unsubscribe/"), "{header}");
    assert!(text.contains(&link) && html.contains(&link), "{text}");
    let kept = settled(&post, &post.delivery(id).await).await;
    assert_eq!((kept.state, &kept.data["unsubscribe_url"]), (DeliveryState::Sent, &Value::Null));
    assert_eq!(runner.shut_down().await, 0);
}
