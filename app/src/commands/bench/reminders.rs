//! `postrider bench reminders`: what a scan costs among many bookings, and how fast many reminders that are due at once are
//! claimed and enqueued.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use job::clock::after;
use job::{Clock, SystemClock};
use serde::Serialize;
use store::{Party, Store, StoreConfig};
use tokio::time::Instant;
use worker::Context;
use worker::bookings::{BookingRules, remind};

use super::Bench;
use crate::commands::Usage;

/// How long before the start the reminder of a measurement is.
const OFFSET: Duration = Duration::from_secs(24 * 3600);
/// How often the empty scan is measured.
const SCANS: usize = 50;

/// What was measured.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    backend: &'static str,
    /// Bookings in the table.
    bookings: u64,
    /// A scan that finds nothing due: the middle one, and the slowest.
    scan_p50_ms: f64,
    scan_max_ms: f64,
    /// Reminders that were due at once.
    due: u64,
    /// From the scan's begin until the last one was claimed and enqueued.
    claim_s: f64,
    reminders_per_s: f64,
}

/// Fills `store` (which must be empty) with `bookings` that are due later and as many as `due` reminders need, and scans.
pub(super) async fn run(bench: &Bench, store: &str, bookings: u64, due: u64) -> anyhow::Result<Figures> {
    let config = StoreConfig { url: store.to_owned(), max_connections: 16, acquire_timeout: Duration::from_secs(5) };
    let store = Store::open(&config).await.context("--store")?;
    if !store.migration_status().await?.applied.is_empty() {
        return Err(Usage("--store: this is no empty database; make one for the measurement".to_owned()).into());
    }
    store.migrate().await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let context = Context {
        bookings: Arc::new(BookingRules { offsets: vec![OFFSET], ..BookingRules::default() }),
        ..Context::new(store.clone(), Arc::clone(&bench.broker), Arc::clone(&bench.ids), Arc::clone(&clock))
    };
    let (student, instructor) = (party("student", "Europe/Berlin"), party("instructor", "America/New_York"));
    let people = (&student, &instructor);
    let now = clock.now();
    let later = (after(now, OFFSET * 2), Duration::from_secs(2));
    store.fill_bookings("later_", bookings, later, OFFSET, people, now).await?;

    let mut took = Vec::with_capacity(SCANS);
    for _ in 0..SCANS {
        let began = Instant::now();
        let scanned = remind::scan(&context).await.map_err(|e| anyhow::anyhow!("{e:?}"))?;
        took.push(began.elapsed().as_secs_f64() * 1000.0);
        anyhow::ensure!(scanned.mails == 0, "nothing is due yet");
    }
    took.sort_unstable_by(f64::total_cmp);

    // Two people a booking; all of them start within one second, a day from now.
    let at_once = due.div_ceil(2);
    let soon = (after(clock.now(), OFFSET), Duration::from_micros(1));
    store.fill_bookings("due_", at_once, soon, OFFSET, people, now).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    let scanned = remind::scan(&context).await.map_err(|e| anyhow::anyhow!("{e:?}"))?;
    let claim = began.elapsed().as_secs_f64();
    anyhow::ensure!(scanned.mails as u64 == at_once * 2, "{} of {due} reminders were claimed", scanned.mails);
    store.close().await;
    Ok(Figures {
        backend: bench.backend(),
        bookings: bookings + at_once,
        scan_p50_ms: took[SCANS / 2],
        scan_max_ms: took[SCANS - 1],
        due: at_once * 2,
        claim_s: claim,
        reminders_per_s: scanned.mails as f64 / claim,
    })
}

fn party(id: &str, timezone: &str) -> Party {
    Party {
        id: id.to_owned(),
        name: format!("A {id}"),
        email: format!("{id}@example.com"),
        timezone: timezone.to_owned(),
        locale: None,
    }
}

impl Figures {
    /// For people, or for scripts.
    pub(super) fn show(&self, json: bool) -> String {
        if json {
            return serde_json::to_string_pretty(self).unwrap_or_default();
        }
        format!(
            "reminders on {}, {} bookings\n  a scan that finds nothing   {:.2} ms (slowest {:.2} ms)\n  \
             {} due at once          {:.1} s, {:.0} claimed and enqueued a second",
            self.backend,
            self.bookings,
            self.scan_p50_ms,
            self.scan_max_ms,
            self.due,
            self.claim_s,
            self.reminders_per_s
        )
    }
}
