//! One file a kind. Each opens with who enqueues it, what it does, and why running it twice is harmless.

pub mod alert_notify;
pub mod booking_cancelled;
pub mod booking_completed;
pub mod booking_confirmed;
pub mod booking_no_show;
pub mod booking_rescheduled;
pub mod debug;
pub mod domains_check;
pub mod email_send;
pub mod operator_notify;
pub mod platform_heartbeat;
pub mod reconcile;
pub mod reminders_scan;
pub mod search_ingest;
pub mod search_report;
pub mod search_rollup;
pub mod store_retention;

use std::time::Duration;

use job::Unfinished;
use queue::BrokerError;
use store::StoreError;

/// A store that is away is waited for and costs no attempt; what it can never keep will never be kept; any other refusal is
/// tried again as a failure.
pub(crate) fn store_failed(e: &StoreError) -> Unfinished {
    match e {
        e if e.is_transient() => Unfinished::snooze(format!("the store is away: {e}"), Duration::from_secs(2)),
        e if e.is_input() => Unfinished::fail(format!("the store cannot keep this: {e}")),
        e => Unfinished::retry(format!("the store refused: {e}")),
    }
}

/// The same for the queue.
pub(crate) fn queue_failed(e: &BrokerError) -> Unfinished {
    match e.is_transient() {
        true => Unfinished::snooze(format!("the queue is away: {e}"), Duration::from_secs(2)),
        false => Unfinished::retry(format!("the queue refused: {e}")),
    }
}
