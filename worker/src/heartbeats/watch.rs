//! The watch: finds the heartbeats that are late, and tells the incidents how each stands.
//!
//! 1. When a worker starts it brings the configuration's heartbeats into the store.
//! 2. Every 5 seconds it marks those whose time is up. Any number of workers may: each row is changed under lock, once.
//! 3. What has changed and was not told is claimed, told to the intake of alerts, and noted. A worker that dies after the
//!    claim is waited for 30 s; then another one tells, and the incident knows that it is the same.
//! 4. A worker that stood still for so long that its claim was taken says so when it notes: then the present state is told
//!    once more, so that the last word is the true one.
//!
//! An incident of a heartbeat ends with a beat, never by itself.

use std::sync::Arc;
use std::time::Duration;

use alerting::{Alert, Labels, State};
use jiff::Timestamp;
use job::Job;
use job::clock::after;
use store::{Heartbeat, HeartbeatState, HeartbeatTold, StoreError};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::desk::Desk;
use crate::context::Context;
use crate::jobs::email_send::EmailSend;

/// The type of its alerts.
const KIND: &str = "heartbeat.late";
/// How often a worker looks.
const EVERY: Duration = Duration::from_secs(5);
/// How long nobody else tells what a worker has claimed.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many are looked at together.
const PAGE: u32 = 200;
/// An end so far away is none.
const NEVER: Duration = Duration::from_hours(24 * 3650);

/// What a look did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Looked {
    /// Heartbeats that were found late.
    pub late: usize,
    /// Changes that the incidents were told of.
    pub told: usize,
}

/// Watches until `end`.
pub(crate) async fn run(context: Arc<Context>, end: CancellationToken) {
    let watching = async {
        let mut mirrored = false;
        loop {
            if !mirrored {
                mirrored = mirror(&context).await;
            }
            tokio::time::sleep(EVERY).await;
            match once(&context).await {
                Ok(Looked { late: 0, .. }) => {}
                Ok(Looked { late, .. }) => debug!(late, "heartbeats were found late"),
                // Whatever is away is reported by those who need it more.
                Err(error) => debug!(%error, "heartbeats could not be looked at"),
            }
        }
    };
    end.run_until_cancelled(watching).await;
}

/// Brings the configuration's heartbeats into the store; `false`: it has to be tried again.
async fn mirror(context: &Context) -> bool {
    let desk = Desk { store: &context.store, rules: &context.heartbeats };
    match desk.mirror(context.clock.now()).await {
        Ok(0) => true,
        Ok(changed) => {
            info!(changed, "the configuration's heartbeats were brought into the store");
            true
        }
        Err(error) => {
            debug!(%error, "the configuration's heartbeats wait for the store");
            false
        }
    }
}

/// One look.
///
/// # Errors
/// As the database says; what was claimed is told by the next look.
pub async fn once(context: &Context) -> Result<Looked, StoreError> {
    let desk = Desk { store: &context.store, rules: &context.heartbeats };
    let mut looked = Looked::default();
    loop {
        let now = context.clock.now();
        let overdue = context.store.overdue_heartbeats(now, PAGE).await?;
        for name in &overdue {
            looked.late += usize::from(desk.mark_late(name, now).await?);
        }
        if overdue.len() < PAGE as usize {
            break;
        }
    }
    loop {
        let told = tell(context).await?;
        looked.told += told;
        if told < PAGE as usize {
            return Ok(looked);
        }
    }
}

/// Tells the incidents of what they have not heard; answers of how many heartbeats.
async fn tell(context: &Context) -> Result<usize, StoreError> {
    let (store, now) = (&context.store, context.clock.now());
    let claim = context.ids.next(&EmailSend::queue()).uuid();
    let claimed = store.claim_heartbeats(claim, now, PATIENCE, PAGE).await?;
    if claimed.is_empty() {
        return Ok(0);
    }
    let alerts: Vec<Alert> = claimed.iter().map(|heartbeat| alert(heartbeat, now)).collect();
    if let Err(error) = context.alerts.accept(&alerts, now).await {
        store.release_heartbeats(claim).await?;
        return Err(error);
    }
    for heartbeat in &claimed {
        let name = heartbeat.name.as_str();
        match heartbeat.state {
            HeartbeatState::Late => warn!(heartbeat = name, "a heartbeat is late"),
            HeartbeatState::Ok if heartbeat.turn > 1 => info!(heartbeat = name, "a heartbeat is back"),
            HeartbeatState::Ok | HeartbeatState::Removed => {}
        }
        if store.heartbeat_told(claim, heartbeat).await? == HeartbeatTold::OutOfTurn {
            warn!(heartbeat = name, "what was told of a heartbeat came late: it is told once more");
        }
    }
    Ok(claimed.len())
}

/// What the incidents hear of a heartbeat.
fn alert(heartbeat: &Heartbeat, now: Timestamp) -> Alert {
    let late = heartbeat.state == HeartbeatState::Late;
    let labels = Labels::from_pairs([("heartbeat", heartbeat.name.as_str()), ("source", "postrider")]);
    let (period, grace) = (job::duration::format(heartbeat.period), job::duration::format(heartbeat.grace));
    let seen = match heartbeat.last_beat_at {
        Some(at) => format!("It was last heard of at {at}"),
        None => format!("It has not been heard of since it was defined at {}", heartbeat.created_at),
    };
    Alert {
        kind: KIND.to_owned(),
        severity: heartbeat.severity,
        title: format!("the heartbeat {} is late", heartbeat.name),
        message: format!("{seen}. It has to beat every {period}, and may be {grace} late."),
        labels: labels.expect("two labels that are names, and a name that was checked"),
        details: alerting::Details::new(),
        state: if late { State::Firing } else { State::Resolved },
        starts_at: heartbeat.due_at.min(now),
        ends_at: Some(if late { after(now, NEVER) } else { now }),
    }
}
