//! Setting held mails on their way again, when their domain is mended or a worker has what they lacked.
//!
//! 1. Some hundred a statement, and not more than [`AT_A_TIME`] a call: whoever calls has other things to do.
//! 2. What is left is released by the next look of the watch ([`super::watch`]), of any worker; so is what was left by one
//!    that died in between. Workers that release at the same time share the mails.
//! 3. What could not be enqueued is waiting in the ledger, and the sweep enqueues it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use queue::Enqueue;
use store::{HeldMail, StoreError};
use tracing::{debug, info};

use super::{Means, Plan, emails};
use crate::email_content::GIVEN;
use crate::intents;

/// Mails released by one statement.
const PAGE: u32 = 500;
/// Mails released by one call, about.
const AT_A_TIME: usize = 5_000;

/// What a process has for its mails. It releases no mail of another sender or template: that would be held again.
#[derive(Debug, Clone, Default)]
pub(super) struct Equipment {
    pub(super) senders: BTreeSet<String>,
    pub(super) templates: BTreeSet<String>,
}

/// What was released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Released {
    /// So many mails.
    pub mails: usize,
    /// Whether there may be more: call again.
    pub more: bool,
}

/// Releases held mails of the domain: each gets a new job under its key and release number. One that was released before
/// counts only if it is held again since `again` at the latest.
pub(super) async fn held(
    means: Means<'_>,
    plan: &Plan,
    equipment: Option<&Equipment>,
    again: Timestamp,
) -> Result<Released, StoreError> {
    let templates: Option<Vec<&str>> =
        equipment.map(|has| has.templates.iter().map(String::as_str).chain([GIVEN]).collect());
    let mut released = Released::default();
    for sender in plan.senders.iter().filter(|sender| equipment.is_none_or(|has| has.senders.contains(*sender))) {
        loop {
            if released.mails >= AT_A_TIME {
                released.more = true;
                return Ok(told(plan, released));
            }
            let found = means.store.held_mails(sender, templates.as_deref(), again, PAGE).await?;
            let mails = page(means, plan, &found).await?;
            released.mails += mails;
            // A page of which none could be moved is another worker's.
            if found.len() < PAGE as usize || mails == 0 {
                break;
            }
        }
    }
    Ok(told(plan, released))
}

/// Releases these; answers how many were.
async fn page(means: Means<'_>, plan: &Plan, found: &[uuid::Uuid]) -> Result<usize, StoreError> {
    if found.is_empty() {
        return Ok(0);
    }
    let with_job = |mail: &uuid::Uuid| HeldMail { mail: *mail, job: means.ids.next(&emails()).uuid() };
    let (mails, now): (Vec<HeldMail>, _) = (found.iter().map(with_job).collect(), means.clock.now());
    let by = format!("the domain {}, mended", plan.domain);
    let released = means.store.release_held(&mails, &by, now).await?;
    let jobs: Vec<Enqueue> = released.iter().map(|mail| intents::delivery(mail, now).into()).collect();
    if let Err(error) = means.broker.enqueue(&jobs).await {
        debug!(%error, "released mails wait for the sweep");
    }
    Ok(jobs.len())
}

fn told(plan: &Plan, released: Released) -> Released {
    if released.mails > 0 {
        info!(domain = plan.domain, released = released.mails, "held mails leave");
    }
    released
}
