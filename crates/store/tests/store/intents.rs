//! Rows that should have a job: which the sweep is told of, and in what order.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Row};
use store::{AttemptReport, BookingEventKind, FanOut, Intent};

use crate::both::{World, at, event, mail, on_both, snapshot};

const QUIET: Duration = Duration::from_secs(30);

/// What the sweep would find, as short names.
async fn stale(world: &World, limit: u32, seconds: i64) -> Vec<String> {
    let intents = world.store.stale_intents(QUIET, limit, at(seconds)).await.unwrap();
    intents.iter().map(name).collect()
}

fn name(intent: &Intent) -> String {
    match intent {
        Intent::BookingEvent { booking_id, version, .. } => format!("{booking_id} v{version}"),
        Intent::Delivery(delivery) => delivery.idempotency_key.clone(),
        Intent::Tick(tick) => format!("{} {}", tick.schedule, tick.planned_at),
        Intent::Notification(message) => format!("message {}", message.id),
    }
}

on_both! {
    async fn an_accepted_event_is_stale_after_a_while_and_not_once_it_is_applied(world) {
        let new = event("bk_1", 4, BookingEventKind::Confirmed, snapshot());
        world.store.accept_event(&new, at(0)).await.unwrap();
        assert!(stale(world, 10, 30).await.is_empty());
        let found = world.store.stale_intents(QUIET, 10, at(31)).await.unwrap();
        let expected = Intent::BookingEvent {
            booking_id: "bk_1".to_owned(),
            version: 4,
            event: BookingEventKind::Confirmed,
            job_id: new.job_id,
        };
        assert_eq!(found, [expected]);
        assert_eq!(found[0].job_id(), new.job_id);
        world.store.apply_event("bk_1", 4, at(40), |_, _| FanOut::default()).await.unwrap();
        assert!(stale(world, 10, 1000).await.is_empty());
    }

    async fn a_repeated_report_makes_the_sweep_wait_again(world) {
        let new = event("bk_1", 4, BookingEventKind::Confirmed, snapshot());
        world.store.accept_event(&new, at(0)).await.unwrap();
        world.store.accept_event(&new, at(20)).await.unwrap();
        assert!(stale(world, 10, 50).await.is_empty());
        assert_eq!(stale(world, 10, 51).await, ["bk_1 v4"]);
    }

    async fn a_mail_is_stale_while_queued_or_sending_and_never_when_it_has_ended(world) {
        let mail = world.mail("k").await;
        assert!(stale(world, 10, 30).await.is_empty());
        assert_eq!(world.store.stale_intents(QUIET, 10, at(31)).await.unwrap(), [Intent::Delivery(mail.clone())]);
        world.store.begin_sending(mail.id, mail.job_id, 1, at(40)).await.unwrap();
        assert!(stale(world, 10, 70).await.is_empty());
        assert_eq!(stale(world, 10, 71).await, ["k"]);
        world.store.mark_sent(mail.id, 1, &AttemptReport::default(), at(80)).await.unwrap();
        assert!(stale(world, 10, 100_000).await.is_empty());
    }

    async fn a_deferred_mail_is_silent_on_purpose_until_its_next_attempt(world) {
        let mail = world.mail("k").await;
        world.store.begin_sending(mail.id, mail.job_id, 1, at(1)).await.unwrap();
        world.store.mark_deferred(mail.id, 1, &AttemptReport::default(), at(500), at(2)).await.unwrap();
        assert!(stale(world, 10, 530).await.is_empty());
        assert_eq!(stale(world, 10, 531).await, ["k"]);
    }

    async fn touched_intents_let_others_go_first(world) {
        for n in 0..4 {
            world.store.insert_deliveries(&[mail(&format!("m{n}"))], at(2 * n)).await.unwrap();
            let new = event("bk", n + 1, BookingEventKind::Confirmed, snapshot());
            world.store.accept_event(&new, at(2 * n + 1)).await.unwrap();
        }
        assert_eq!(stale(world, 3, 100).await, ["m0", "bk v1", "m1"]);
        let first = world.store.stale_intents(QUIET, 3, at(100)).await.unwrap();
        world.store.touch_intents(&first, at(100)).await.unwrap();
        assert_eq!(stale(world, 10, 100).await, ["bk v2", "m2", "bk v3", "m3", "bk v4"]);
        assert_eq!(stale(world, 100, 131).await.len(), 8, "a while later all are stale again");
        world.store.touch_intents(&[], at(200)).await.unwrap();
    }

    async fn a_thousand_intents_are_touched_at_once(world) {
        let mails: Vec<_> = (0..500).map(|n| mail(&format!("m{n}"))).collect();
        world.store.insert_deliveries(&mails, at(0)).await.unwrap();
        for n in 0..500 {
            let new = event(&format!("bk_{n}"), 1, BookingEventKind::Confirmed, snapshot());
            world.store.accept_event(&new, at(0)).await.unwrap();
        }
        let all = world.store.stale_intents(QUIET, 2000, at(60)).await.unwrap();
        assert_eq!(all.len(), 1000);
        world.store.touch_intents(&all, at(60)).await.unwrap();
        assert!(stale(world, 10, 60).await.is_empty());
    }
}

/// The statements of the sweep, with their placeholders filled.
const EVENTS: &str = "SELECT booking_id FROM booking_events WHERE state = 'accepted' AND sweep_from < {now}
                      ORDER BY sweep_from LIMIT 100";
const DELIVERIES: &str =
    "SELECT id FROM deliveries WHERE state IN ('queued', 'sending', 'deferred') AND sweep_from < {now}
                          ORDER BY sweep_from LIMIT 100";
const FAILED: &str = "SELECT id FROM deliveries WHERE state = 'failed'
                      AND state IN ('deferred', 'held', 'suppressed', 'cancelled', 'expired', 'failed', 'unknown')
                      ORDER BY created_at DESC, id DESC LIMIT 100";

#[tokio::test]
async fn sqlite_answers_the_sweep_and_the_lists_of_states_from_their_indexes() {
    let world = World::sqlite().await;
    let mut connection = sqlx::SqliteConnection::connect(&world.url).await.unwrap();
    for (sql, index) in
        [(EVENTS, "booking_events_sweep"), (DELIVERIES, "deliveries_sweep"), (FAILED, "deliveries_by_state")]
    {
        let explain = format!("EXPLAIN QUERY PLAN {}", sql.replace("{now}", "1000"));
        let rows = sqlx::query(AssertSqlSafe(explain)).fetch_all(&mut connection).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        assert!(plan.iter().any(|step| step.contains(index)), "{plan:?}");
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{plan:?}");
    }
}

#[tokio::test]
async fn postgres_answers_the_sweep_and_the_lists_of_states_from_their_indexes() {
    let world = World::postgres().await;
    let mut connection = sqlx::PgConnection::connect(&world.url).await.unwrap();
    // The tables are empty here, so that reading them whole would be cheapest.
    sqlx::query("SET enable_seqscan = off").execute(&mut connection).await.unwrap();
    for (sql, index) in
        [(EVENTS, "booking_events_sweep"), (DELIVERIES, "deliveries_sweep"), (FAILED, "deliveries_by_state")]
    {
        let explain = format!("EXPLAIN {}", sql.replace("{now}", "now()"));
        let rows = sqlx::query(AssertSqlSafe(explain)).fetch_all(&mut connection).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        assert!(plan.iter().any(|step| step.contains(index)), "{plan:?}");
    }
}
