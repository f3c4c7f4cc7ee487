//! The life of bookings by a clock that is moved by hand: each event's mails, and the complaints that reminders are known
//! for, as tests. Mails go over SMTP to a catcher that verifies them.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp};
use job::{Clock, Envelope, JobState, ManualClock};
use queue::Filter;
use serde_json::json;
use store::{
    Accepted, BookingEventKind, CancelledBy, Delivery, DeliveryFilter, DeliveryState, NewBookingEvent, Party, Price,
    Snapshot, content_hash,
};
use worker::Runner;
use worker::bookings::{BookingRules, QuietHours, ReviewRules, reconcile};
use worker::jobs::store_retention::StoreRetention;

use crate::mails::Post;
use crate::stage::{Stage, queue};

const PATIENCE: Duration = Duration::from_secs(60);
const HOUR: i64 = 60;

/// A worker, a booking's people, and the time.
struct Market {
    post: Post,
    clock: ManualClock,
    runner: Runner,
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

/// A lesson at 20:00 in New York, which is 1:00 of the next day by UTC and 2:00 in Berlin.
fn lesson() -> Snapshot {
    let party = |id: &str, name: &str, timezone: &str| Party {
        id: id.to_owned(),
        name: name.to_owned(),
        email: format!("{id}@example.com"),
        timezone: timezone.to_owned(),
        locale: Some("en".to_owned()),
    };
    Snapshot {
        service: "Piano".to_owned(),
        starts_at: at("2026-12-03T01:00:00Z"),
        duration_minutes: 60,
        location: None,
        url: Some("https://meet.example.com/1".to_owned()),
        price: Some(Price { amount: "45.00".to_owned(), currency: "USD".to_owned() }),
        student: party("student", "Emily Carter", "America/New_York"),
        instructor: party("instructor", "Anna Weber", "Europe/Berlin"),
        reason: None,
        cancelled_by: None,
        reminders: None,
    }
}

impl Market {
    async fn open(now: &str) -> Self {
        Self::with(now, |_| {}).await
    }

    async fn with(now: &str, change: impl FnOnce(&mut BookingRules)) -> Self {
        let clock = ManualClock::at(at(now));
        let mut stage = Stage::at(&clock).await;
        let mut rules = BookingRules::default();
        change(&mut rules);
        stage.context.bookings = Arc::new(rules);
        let post = Post::with(stage).await;
        let runner = post.stage.runner(|_| {});
        Self { post, clock, runner }
    }

    /// The marketplace reports an event: the row, then its job.
    async fn tell(&self, version: i64, event: BookingEventKind, snapshot: Snapshot) {
        self.report(version, event, snapshot).await;
        self.settle().await;
    }

    /// The same, without waiting for what comes of it.
    async fn report(&self, version: i64, event: BookingEventKind, snapshot: Snapshot) {
        let (context, now) = (&self.post.stage.context, self.clock.now());
        let new = NewBookingEvent {
            booking_id: "bk_1".to_owned(),
            version,
            event,
            content_hash: content_hash(event, &snapshot),
            snapshot,
            job_id: context.ids.next(&queue("bookings")).uuid(),
        };
        let Accepted::New { job_id } = context.store.accept_event(&new, now).await.unwrap() else { panic!("new") };
        let job = worker::intents::booking_event("bk_1", version, event, job_id, now);
        context.broker.enqueue(&[job.into()]).await.unwrap();
    }

    /// Waits until nothing of bookings and mails is left to do at this time.
    async fn settle(&self) {
        let (broker, now) = (self.post.stage.broker(), self.clock.now());
        let ours = [queue("bookings"), queue("emails")];
        testkit::wait_until("nothing is left to do now", PATIENCE, async || {
            // What becomes due is looked for first: it is available or running from then on, and those two are one look.
            let waiting = Filter { state: Some(JobState::Scheduled), ..Filter::default() };
            let scheduled = broker.list(&waiting, 1_000, None).await.unwrap().items;
            let due = scheduled.iter().filter(|job| ours.contains(&job.queue) && job.due_at.is_none_or(|at| at <= now));
            let stats = broker.stats().await.unwrap();
            let open = stats.iter().filter(|stats| ours.contains(&stats.queue));
            let open = open.map(|stats| stats.count(JobState::Available) + stats.count(JobState::Running));
            due.count() == 0 && open.sum::<u64>() == 0
        })
        .await;
    }

    async fn scan(&self) {
        self.post.stage.enqueue(self.post.stage.envelope_in("bookings", "reminders.scan", json!({}))).await;
        self.settle().await;
    }

    /// Time passes without a scan.
    fn sleep_until(&self, time: Timestamp) {
        let by = time.duration_since(self.clock.now());
        self.clock.advance(by.try_into().expect("time goes forward"));
    }

    /// Time passes, with a scan each `minutes`.
    async fn live_until(&self, time: Timestamp, minutes: i64) {
        while self.clock.now() < time {
            let next = self.clock.now() + SignedDuration::from_mins(minutes);
            self.sleep_until(next.min(time));
            self.scan().await;
        }
    }

    async fn mails(&self) -> Vec<Delivery> {
        let filter = DeliveryFilter { booking_id: Some("bk_1".to_owned()), ..DeliveryFilter::default() };
        let mut mails = self.post.stage.context.store.list_deliveries(&filter, 1000, None).await.unwrap().items;
        mails.reverse();
        mails
    }

    /// Key (without the booking), state and the minutes before `start` at which it was sent.
    async fn reminders(&self, start: Timestamp) -> Vec<(String, DeliveryState, Option<i64>)> {
        let of = |mail: &Delivery| {
            let before = mail.sent_at.map(|sent| start.duration_since(sent).as_mins());
            (mail.idempotency_key.trim_start_matches("booking:bk_1:").to_owned(), mail.state, before)
        };
        let mut all: Vec<_> = self.mails().await.iter().filter(|mail| mail.booking_moves.is_some()).map(of).collect();
        all.sort_by(|a, b| (b.2, &b.0).cmp(&(a.2, &a.0)));
        all
    }

    /// Who was reminded when: `offset:role` and the minutes before the start.
    async fn reminded(&self, start: Timestamp) -> Vec<(String, i64)> {
        let sent = |(key, _, before): (String, DeliveryState, Option<i64>)| {
            Some((key.split_once(":reminder:")?.1.to_owned(), before?))
        };
        self.reminders(start).await.into_iter().filter_map(sent).collect()
    }

    /// Subject and text of the newest mail to somebody.
    fn text_to(&self, who: &str) -> String {
        let inbox = self.post.catcher.inbox();
        let newest = inbox.list().into_iter().find(|mail| mail.to == format!("{who}@example.com")).expect("a mail");
        format!("{}\n{}", newest.subject, newest.text().expect("it has a text part"))
    }

    async fn close(self) {
        assert_eq!(self.runner.shut_down().await, 0);
    }
}

fn both(label: &str, minutes: i64) -> [(String, i64); 2] {
    ["student", "instructor"].map(|role| (format!("{label}:{role}"), minutes))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bookings_life_in_mails() {
    let market = Market::with("2026-12-01T09:00:00Z", |rules| {
        let url = Some("https://example.com/r/{booking_id}".to_owned());
        rules.review = Some(ReviewRules { delay: Duration::from_secs(7200), url });
    })
    .await;
    market.tell(1, BookingEventKind::Confirmed, lesson()).await;
    let moved = Snapshot { starts_at: at("2026-12-04T01:00:00Z"), ..lesson() };
    market.tell(2, BookingEventKind::Rescheduled, moved.clone()).await;
    market.sleep_until(at("2026-12-04T02:30:00Z"));
    market.tell(3, BookingEventKind::Completed, moved).await;
    let templates = |mails: &[Delivery]| -> Vec<(String, DeliveryState)> {
        mails.iter().map(|mail| (mail.template.clone(), mail.state)).collect()
    };
    let sent = |template: &str| (template.to_owned(), DeliveryState::Sent);
    let told = [
        sent("booking_confirmed_student"),
        sent("booking_confirmed_instructor"),
        sent("booking_rescheduled_student"),
        sent("booking_rescheduled_instructor"),
        ("booking_completed_student".to_owned(), DeliveryState::Queued),
        sent("booking_completed_instructor"),
    ];
    assert_eq!(templates(&market.mails().await), told);
    market.sleep_until(at("2026-12-04T04:29:59Z"));
    market.settle().await;
    assert_eq!(market.post.catcher.inbox().len(), 5, "the request for a review waits");
    market.sleep_until(at("2026-12-04T04:30:00Z"));
    market.settle().await;
    assert_eq!(market.post.catcher.inbox().len(), 6);
    assert!(market.text_to("student").contains("https://example.com/r/bk_1"));
    market.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_lesson_is_told_to_each_in_their_own_words() {
    let market = Market::open("2026-12-01T09:00:00Z").await;
    market.tell(1, BookingEventKind::Confirmed, lesson()).await;
    let off = Snapshot { cancelled_by: Some(CancelledBy::Student), reason: Some("Flu".to_owned()), ..lesson() };
    market.tell(2, BookingEventKind::Cancelled, off).await;
    let templates: Vec<String> = market.mails().await.into_iter().map(|mail| mail.template).collect();
    let expected = ["booking_cancelled_by_you_student", "booking_cancelled_by_other_instructor"];
    assert_eq!(templates[2..], expected);
    assert!(market.text_to("instructor").contains("Flu"));
    market.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_are_reminded_a_day_and_an_hour_before_and_the_hour_is_not_swallowed_by_the_day() {
    let market = Market::open("2026-12-01T09:00:00Z").await;
    let start = lesson().starts_at;
    market.tell(1, BookingEventKind::Confirmed, lesson()).await;
    market.live_until(start + SignedDuration::from_hours(2), 30).await;
    let expected: Vec<_> = both("24h", 24 * HOUR).into_iter().chain(both("1h", HOUR)).collect();
    assert_eq!(market.reminded(start).await, expected);
    market.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_reminded_after_a_cancellation() {
    let market = Market::open("2026-12-01T09:00:00Z").await;
    let start = lesson().starts_at;
    market.tell(1, BookingEventKind::Confirmed, lesson()).await;
    market.live_until(at("2026-12-02T02:00:00Z"), 60).await;
    market.tell(2, BookingEventKind::Cancelled, lesson()).await;
    market.live_until(start + SignedDuration::from_hours(1), 60).await;
    assert_eq!(market.reminded(start).await, both("24h", 24 * HOUR), "the hour's are not sent");
    market.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_that_overtakes_a_claimed_reminder_stops_it() {
    let market = Market::open("2026-12-01T09:00:00Z").await;
    let (start, emails) = (lesson().starts_at, queue("emails"));
    market.tell(1, BookingEventKind::Confirmed, lesson()).await;
    let context = &market.post.stage.context;
    context.broker.pause(&emails).await.unwrap();
    market.sleep_until(at("2026-12-02T01:00:00Z"));
    market.post.stage.enqueue(market.post.stage.envelope_in("bookings", "reminders.scan", json!({}))).await;
    testkit::wait_until("both are claimed", PATIENCE, async || market.reminders(start).await.len() == 2).await;
    // One is in the hands of an attempt that dies, so that the cancellation cannot call it off: the look before sending does.
    let begun = market.mails().await.into_iter().find(|mail| mail.booking_moves.is_some()).unwrap();
    context.store.begin_sending(begun.id, begun.job_id, 7, market.clock.now()).await.unwrap();
    market.report(2, BookingEventKind::Cancelled, lesson()).await;
    testkit::wait_until("the cancellation is applied", PATIENCE, async || {
        context.store.get_booking("bk_1").await.unwrap().is_some_and(|booking| booking.version == 2)
    })
    .await;
    context.broker.resume(&emails).await.unwrap();
    market.settle().await;
    let states: Vec<_> = market.reminders(start).await.into_iter().map(|(_, state, _)| state).collect();
    assert_eq!(states, [DeliveryState::Cancelled; 2]);
    let (stopped, _) = context.store.get_delivery(begun.id).await.unwrap().unwrap();
    assert_eq!(stopped.last_error.as_deref(), Some("the booking is cancelled"));
    market.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claimed_reminder_goes_once_to_the_address_that_its_reader_has_now() {
    let market = Market::open("2026-12-01T09:00:00Z").await;
    let (start, emails) = (lesson().starts_at, queue("emails"));
    market.tell(1, BookingEventKind::Confirmed, lesson()).await;
    let context = &market.post.stage.context;
    context.broker.pause(&emails).await.unwrap();
    market.sleep_until(start - SignedDuration::from_hours(24));
    market.post.stage.enqueue(market.post.stage.envelope_in("bookings", "reminders.scan", json!({}))).await;
    testkit::wait_until("both are claimed", PATIENCE, async || market.reminders(start).await.len() == 2).await;
    // The same lesson at the same time: only the student writes from elsewhere now.
    let mut changed = lesson();
    changed.student.email = "emily@example.com".to_owned();
    changed.student.name = "Emily Clarke".to_owned();
    market.report(2, BookingEventKind::Rescheduled, changed).await;
    testkit::wait_until("the new version is applied", PATIENCE, async || {
        context.store.get_booking("bk_1").await.unwrap().is_some_and(|booking| booking.version == 2)
    })
    .await;
    context.broker.resume(&emails).await.unwrap();
    market.settle().await;
    assert_eq!(market.reminded(start).await, both("24h", 24 * HOUR));
    let reminders: Vec<_> = market.mails().await.into_iter().filter(|mail| mail.booking_moves.is_some()).collect();
    let to: Vec<_> = reminders.iter().map(|mail| (mail.recipient.as_str(), mail.recipient_name.as_deref())).collect();
    assert_eq!(to, [("emily@example.com", Some("Emily Clarke")), ("instructor@example.com", Some("Anna Weber"))]);
    let caught = market.post.catcher.inbox().list();
    let of = |to: &str| caught.iter().filter(|mail| mail.to == to).count();
    let confirmed_then = 1;
    assert_eq!(of("student@example.com"), confirmed_then, "the old address hears no more");
    assert_eq!((of("emily@example.com"), of("instructor@example.com")), (2, confirmed_then + 2));
    market.live_until(start, 60).await;
    let expected: Vec<_> = both("24h", 24 * HOUR).into_iter().chain(both("1h", HOUR)).collect();
    assert_eq!(market.reminded(start).await, expected);
    market.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_reminded_of_the_old_time_after_a_reschedule() {
    let market = Market::open("2026-12-01T09:00:00Z").await;
    market.tell(1, BookingEventKind::Confirmed, lesson()).await;
    market.live_until(at("2026-12-02T02:00:00Z"), 60).await;
    let moved = Snapshot { starts_at: at("2026-12-04T01:00:00Z"), ..lesson() };
    market.tell(2, BookingEventKind::Rescheduled, moved.clone()).await;
    market.live_until(at("2026-12-04T02:00:00Z"), 60).await;
    let keys: Vec<_> =
        market.reminders(moved.starts_at).await.into_iter().map(|(key, _, before)| (key, before)).collect();
    let of =
        |moves: i64, label: &str, role: &str, before: i64| (format!("m{moves}:reminder:{label}:{role}"), Some(before));
    let expected = [
        of(0, "24h", "student", 48 * HOUR),
        of(0, "24h", "instructor", 48 * HOUR),
        of(1, "24h", "student", 24 * HOUR),
        of(1, "24h", "instructor", 24 * HOUR),
        of(1, "1h", "student", HOUR),
        of(1, "1h", "instructor", HOUR),
    ];
    assert_eq!(keys, expected);
    market.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_reminded_a_day_early_because_of_a_time_zone_and_each_reads_their_own() {
    let market = Market::open("2026-11-30T09:00:00Z").await;
    let start = lesson().starts_at;
    market.tell(1, BookingEventKind::Confirmed, lesson()).await;
    // By UTC the lesson is on the 3rd: a scan for "tomorrow" there would find it all through the 2nd.
    market.live_until(start - SignedDuration::from_hours(24) - SignedDuration::from_secs(1), 60).await;
    assert_eq!(market.reminded(start).await, []);
    market.live_until(start - SignedDuration::from_hours(24), 1).await;
    assert_eq!(market.reminded(start).await, both("24h", 24 * HOUR));
    let (student, instructor) = (market.text_to("student"), market.text_to("instructor"));
    assert!(student.contains("Wednesday, 2 December 2026, 20:00–21:00 (America/New_York, EST)"), "{student}");
    assert!(instructor.contains("Thursday, 3 December 2026, 02:00–03:00 (Europe/Berlin, CET)"), "{instructor}");
    assert!(student.contains("tomorrow") && instructor.contains("tomorrow"), "{student}\n{instructor}");
    market.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_reminded_twice_after_a_crash() {
    let market = Market::open("2026-12-01T09:00:00Z").await;
    let start = lesson().starts_at;
    market.tell(1, BookingEventKind::Confirmed, lesson()).await;
    market.sleep_until(start - SignedDuration::from_hours(24));
    // Scans of two schedulers at the same moment, and again after a crash.
    for _ in 0..4 {
        market.post.stage.enqueue(market.post.stage.envelope_in("bookings", "reminders.scan", json!({}))).await;
    }
    market.settle().await;
    // The scan whose enqueue was lost: the rows are there, their jobs are not. What finds them is the sweep.
    market.sleep_until(start - SignedDuration::from_hours(1));
    let (context, mut claimed) = (&market.post.stage.context, 0);
    let now = market.clock.now();
    let offsets = context.bookings.offsets.clone();
    let store = &context.store;
    store
        .claim_reminders(now, 10, |booking| {
            let due = worker::bookings::plan::due(booking, &offsets, now).expect("the hour is due");
            claimed += 1;
            let mails = worker::bookings::Role::BOTH.map(|role| {
                let key = worker::bookings::remind::key(booking, &due, role);
                let (id, to) = (context.ids.next(&queue("emails")).uuid(), &role.of(booking).email);
                store::NewDelivery {
                    booking_id: Some(booking.id.clone()),
                    booking_moves: Some(booking.moves),
                    deadline: Some(due.late_from()),
                    ..store::NewDelivery::new(
                        id,
                        key,
                        store::Category::Booking,
                        format!("booking_reminder_{role}"),
                        "bookings",
                        to.as_str(),
                    )
                }
            });
            store::FanOut { mails: mails.to_vec(), next_reminder_at: None }
        })
        .await
        .unwrap();
    assert_eq!(claimed, 1);
    market.scan().await;
    assert_eq!(market.reminded(start).await, both("24h", 24 * HOUR), "the claimed ones have no job yet");
    market.clock.advance(Duration::from_secs(1));
    worker::sweep::once(context, Duration::ZERO).await.unwrap();
    market.settle().await;
    worker::sweep::once(context, Duration::ZERO).await.unwrap();
    market.settle().await;
    let expected: Vec<_> = both("24h", 24 * HOUR).into_iter().chain(both("1h", HOUR - 1)).collect();
    assert_eq!(market.reminded(start).await, expected);
    assert_eq!(market.post.catcher.inbox().len(), 6, "two confirmations and four reminders");
    market.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missed_tick_is_made_up_for_while_it_makes_sense() {
    let market = Market::open("2026-12-01T09:00:00Z").await;
    let start = lesson().starts_at;
    market.tell(1, BookingEventKind::Confirmed, lesson()).await;
    market.sleep_until(start - SignedDuration::from_hours(13));
    market.scan().await;
    assert_eq!(market.reminded(start).await, both("24h", 13 * HOUR), "eleven hours late");
    market.sleep_until(start - SignedDuration::from_mins(29));
    market.scan().await;
    market.sleep_until(start + SignedDuration::from_mins(1));
    market.scan().await;
    assert_eq!(market.reminded(start).await, both("24h", 13 * HOUR), "half an hour before is too late for the hour's");
    market.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_booking_made_inside_the_window_is_not_reminded_at_once() {
    let market = Market::open("2026-12-02T22:00:00Z").await;
    let start = lesson().starts_at;
    market.tell(1, BookingEventKind::Confirmed, lesson()).await;
    market.live_until(start, 5).await;
    assert_eq!(market.reminded(start).await, both("1h", HOUR));
    market.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_price_does_not_remind_again() {
    let market = Market::open("2026-12-01T09:00:00Z").await;
    let start = lesson().starts_at;
    market.tell(1, BookingEventKind::Confirmed, lesson()).await;
    market.live_until(start - SignedDuration::from_hours(24), 240).await;
    let price = Some(Price { amount: "50.00".to_owned(), currency: "USD".to_owned() });
    market.tell(2, BookingEventKind::Rescheduled, Snapshot { price, ..lesson() }).await;
    market.live_until(start, 60).await;
    let expected: Vec<_> = both("24h", 24 * HOUR).into_iter().chain(both("1h", HOUR)).collect();
    assert_eq!(market.reminded(start).await, expected);
    market.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reminder_waits_for_its_reader_to_be_awake_where_it_may() {
    // 20:00 in New York, 2:00 in Berlin: a day before, one of the two sleeps.
    let market = Market::with("2026-12-01T09:00:00Z", |rules| {
        let (from, until) = (Time::constant(22, 0, 0, 0), Time::constant(7, 0, 0, 0));
        rules.quiet_hours = Some(QuietHours { from, until });
    })
    .await;
    let start = lesson().starts_at;
    market.tell(1, BookingEventKind::Confirmed, lesson()).await;
    market.live_until(start + SignedDuration::from_hours(1), 30).await;
    let expected = [
        ("24h:student".to_owned(), 24 * HOUR),
        // Seven o'clock in Berlin.
        ("24h:instructor".to_owned(), 19 * HOUR),
        // The hour's cannot wait.
        ("1h:student".to_owned(), HOUR),
        ("1h:instructor".to_owned(), HOUR),
    ];
    assert_eq!(market.reminded(start).await, expected);
    market.close().await;
}

/// One more event of another booking, that nobody enqueues.
async fn accept_only(market: &Market, booking_id: &str) -> uuid::Uuid {
    let context = &market.post.stage.context;
    let new = NewBookingEvent {
        booking_id: booking_id.to_owned(),
        version: 1,
        event: BookingEventKind::Confirmed,
        content_hash: content_hash(BookingEventKind::Confirmed, &lesson()),
        snapshot: lesson(),
        job_id: context.ids.next(&queue("bookings")).uuid(),
    };
    context.store.accept_event(&new, market.clock.now()).await.unwrap();
    new.job_id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_nobody_applied_is_named_and_applied() {
    let market = Market::open("2026-12-01T09:00:00Z").await;
    let context = &market.post.stage.context;
    let job_id = accept_only(&market, "bk_stuck").await;
    // Its job lives, and will not run for a long time.
    let mut job =
        worker::intents::booking_event("bk_stuck", 1, BookingEventKind::Confirmed, job_id, market.clock.now());
    job.run_at = at("2030-01-01T00:00:00Z");
    context.broker.enqueue(&[job.into()]).await.unwrap();
    let young = reconcile::run(context, true).await.unwrap();
    assert!(young.is_whole() && young.unapplied == 0, "it may still be on its way: {young:?}");
    market.clock.advance(Duration::from_secs(60));
    let dry = reconcile::run(context, true).await.unwrap();
    assert_eq!((dry.is_whole(), dry.unapplied), (false, 1), "{dry:?}");
    assert_eq!(dry.unapplied_events, ["bk_stuck version 1"]);
    let done = reconcile::run(context, false).await.unwrap();
    assert_eq!(done.unapplied, 1);
    let again = reconcile::run(context, true).await.unwrap();
    assert!(again.is_whole() && again.mails.present == 2, "{again:?}");
    // The job, when it runs after all, finds everything done.
    market.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_retention_takes_what_the_reconciliation_would_send_again() {
    let market = Market::open("2026-12-01T09:00:00Z").await;
    let context = &market.post.stage.context;
    let far = Snapshot { starts_at: at("2027-03-01T12:00:00Z"), ..lesson() };
    market.tell(1, BookingEventKind::Confirmed, far).await;
    assert_eq!(market.post.catcher.inbox().len(), 2);
    let day = Duration::from_secs(86_400);
    let hasty = StoreRetention {
        mail_contents: day,
        mails: day,
        booking_events: day,
        ticks: day,
        search_events: 365 * day,
        guest_searches: 90 * day,
        hourly_queries: 35 * day,
    };
    let kept = async |days: u32| {
        market.clock.advance(days * day);
        let id = context.ids.next(&queue("bookings"));
        let mut job = Envelope::of(&hasty, id, market.clock.now()).unwrap();
        job.queue = queue("bookings");
        context.broker.enqueue(&[job.into()]).await.unwrap();
        market.settle().await;
        market.mails().await.len()
    };
    assert_eq!(kept(3).await, 2, "the window is a week");
    let whole = reconcile::run(context, false).await.unwrap();
    assert!(whole.is_whole(), "{whole:?}");
    assert_eq!(kept(5).await, 0, "a day after it");
    let whole = reconcile::run(context, false).await.unwrap();
    assert!(whole.is_whole(), "{whole:?}");
    market.settle().await;
    assert_eq!(market.post.catcher.inbox().len(), 2, "nobody got anything twice");
    market.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lesson_that_takes_place_after_all_is_confirmed_and_not_called_moved() {
    let market = Market::open("2026-12-01T09:00:00Z").await;
    let later = Snapshot { starts_at: at("2026-12-04T01:00:00Z"), ..lesson() };
    market.tell(1, BookingEventKind::Confirmed, lesson()).await;
    market.tell(2, BookingEventKind::Rescheduled, later.clone()).await;
    market.tell(3, BookingEventKind::Cancelled, later.clone()).await;
    market.tell(4, BookingEventKind::Rescheduled, later).await;
    market.tell(5, BookingEventKind::Rescheduled, lesson()).await;
    let templates = async |version: i64| {
        let mails = market.mails().await;
        let of = mails.iter().filter(|mail| mail.booking_version == Some(version));
        let mut told: Vec<(String, bool)> =
            of.map(|mail| (mail.template.clone(), mail.data["previous_when"].is_string())).collect();
        told.sort();
        told
    };
    let both = |name: &str, before: bool| ["instructor", "student"].map(|role| (format!("{name}_{role}"), before));
    assert_eq!(templates(2).await, both("booking_rescheduled", true));
    assert_eq!(templates(4).await, both("booking_confirmed", false), "it has not moved");
    assert_eq!(templates(5).await, both("booking_rescheduled", true));
    market.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reminder_that_is_asked_for_when_its_time_has_passed_is_not_sent_at_once() {
    let market = Market::open("2026-12-01T09:00:00Z").await;
    let with = |reminders: &[&str]| {
        let reminders = Some(reminders.iter().map(|text| (*text).to_owned()).collect());
        Snapshot { reminders, ..lesson() }
    };
    let start = lesson().starts_at;
    market.tell(1, BookingEventKind::Confirmed, with(&["1h"])).await;
    market.sleep_until(start - SignedDuration::from_mins(100));
    // That of two hours is due since twenty minutes, and could be an hour late.
    market.tell(2, BookingEventKind::Confirmed, with(&["2h", "1h"])).await;
    market.scan().await;
    reconcile::run(&market.post.stage.context, false).await.unwrap();
    market.settle().await;
    assert_eq!(market.reminded(start).await, []);
    market.live_until(start, 5).await;
    assert_eq!(market.reminded(start).await, both("1h", HOUR));
    market.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_from_the_ledger_is_made_good_once() {
    let market = Market::open("2026-12-01T09:00:00Z").await;
    let (start, context) = (lesson().starts_at, &market.post.stage.context);
    market.tell(1, BookingEventKind::Confirmed, lesson()).await;
    let whole = reconcile::run(context, true).await.unwrap();
    assert!(whole.is_whole(), "{whole:?}");
    assert_eq!((whole.mails.expected, whole.mails.present), (2, 2));

    // An event that was applied without its mails, and a booking that no scan would ever look at.
    let now = market.clock.now();
    let new = NewBookingEvent {
        booking_id: "bk_2".to_owned(),
        version: 1,
        event: BookingEventKind::Confirmed,
        content_hash: content_hash(BookingEventKind::Confirmed, &lesson()),
        snapshot: lesson(),
        job_id: context.ids.next(&queue("bookings")).uuid(),
    };
    context.store.accept_event(&new, now).await.unwrap();
    context.store.apply_event("bk_2", 1, now, |_, _| store::FanOut::default()).await.unwrap();
    let dry = reconcile::run(context, true).await.unwrap();
    assert_eq!((dry.mails.expected, dry.mails.missing, dry.rearmed), (4, 2, 1));
    assert_eq!(dry.mails.missing_keys[0], "booking:bk_2:v1:booking_confirmed:student");
    assert_eq!(market.post.catcher.inbox().len(), 2, "a dry run changes nothing");

    let done = reconcile::run(context, false).await.unwrap();
    assert_eq!((done.mails.missing, done.rearmed), (2, 1));
    market.settle().await;
    let again = reconcile::run(context, false).await.unwrap();
    assert!(again.is_whole() && again.rearmed == 0, "{again:?}");
    assert_eq!((again.mails.present, market.post.catcher.inbox().len()), (4, 4));
    market.live_until(start, 60).await;
    let end = reconcile::run(context, false).await.unwrap();
    assert_eq!((end.reminders.expected, end.reminders.present, end.reminders.missed), (8, 8, 0), "{end:?}");
    assert_eq!(market.post.catcher.inbox().len(), 4 + 8);
    market.close().await;
}
