//! Setting held mails on their way again, when their domain is mended.

use std::collections::BTreeSet;

use queue::Enqueue;
use store::{By, Moved, StoreError};
use tracing::{debug, info};

use super::{Means, Plan, emails};
use crate::email_content::GIVEN;
use crate::intents;

/// Mails released at a time.
const PAGE: u32 = 200;

/// Releases every held mail of the domain: each gets a new job under its key and release number. What could not be
/// enqueued is waiting in the ledger, and the sweep enqueues it.
///
/// What is of a template that is not among `templates` stays: a process that has it releases it.
pub async fn held(means: Means<'_>, plan: &Plan, templates: Option<&BTreeSet<String>>) -> Result<usize, StoreError> {
    let senders: Vec<&str> = plan.senders.iter().map(String::as_str).collect();
    let domain = format!("the domain {}, mended", plan.domain);
    let mut lacking = Vec::new();
    if let Some(templates) = templates {
        lacking = means.store.held_templates().await?;
        lacking.retain(|name| name != GIVEN && !templates.contains(name));
    }
    let mut released = 0;
    loop {
        let ids = means.store.held_mails(&senders, &lacking, PAGE).await?;
        let mut jobs: Vec<Enqueue> = Vec::with_capacity(ids.len());
        for id in &ids {
            let now = means.clock.now();
            let job = means.ids.next(&emails()).uuid();
            if let Moved::Done(mail) = means.store.release_delivery(*id, job, By::repair(job, &domain), now).await? {
                jobs.push(intents::delivery(&mail, now).into());
            }
        }
        released += jobs.len();
        if let Err(error) = means.broker.enqueue(&jobs).await {
            debug!(%error, "released mails wait for the sweep");
        }
        // A page of which none could be moved would come again for ever.
        if ids.len() < PAGE as usize || jobs.is_empty() {
            break;
        }
    }
    if released > 0 {
        info!(domain = plan.domain, released, "held mails leave");
    }
    Ok(released)
}
