//! Several processes at the same alerts: they wait for each other, and never both.

use alerting::Severity::{Critical, Warning};
use alerting::{Alert, State};

use crate::stage::Stage;

/// Alerts that everybody sends in each round.
const ALERTS: usize = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn intakes_that_are_given_the_same_alerts_in_different_orders_never_block_each_other_for_good() {
    let stage = Stage::postgres().await;
    let rivals = [stage.another().await, stage.another().await, stage.another().await, stage.another().await];
    for round in 0..12 {
        let begins: Vec<Alert> =
            (0..ALERTS).map(|n| stage.alert(&format!("check.{round}.{n}"), [Warning, Critical][n % 2])).collect();
        let ends = |alert: &Alert| Alert { state: State::Resolved, ..alert.clone() };
        // First all are new; then some rise, some end, and groups are woken and opened at the same time.
        let mixed: Vec<Alert> = begins
            .iter()
            .enumerate()
            .map(|(n, alert)| match n % 3 {
                0 => ends(alert),
                1 => Alert { severity: Critical, ..alert.clone() },
                _ => alert.clone(),
            })
            .collect();
        for all in [begins, mixed] {
            let now = stage.now();
            let calls = rivals.iter().enumerate().map(|(n, rival)| {
                let mut mine = all.clone();
                mine.rotate_left(n * 17);
                if n % 2 == 1 {
                    mine.reverse();
                }
                let intake = rival.alerts.clone();
                tokio::spawn(async move { intake.accept(&mine, now).await.unwrap() })
            });
            for call in calls.collect::<Vec<_>>() {
                assert_eq!(call.await.unwrap().len(), ALERTS);
            }
        }
    }
    let counted: i64 = stage.context.store.active_incidents(10_000).await.unwrap().iter().map(|one| one.alerts).sum();
    assert!(counted > 0);
    assert_eq!(stage.deadlocks().await, 0);
}
