//! The clockwork of alerts: what is due is told.
//!
//! Each worker looks every second; any number of them may. A look that finds nothing due is a few reads of indexes.
//! 1. Incidents that were not heard of in time are over.
//! 2. Groups whose time has come are taken, each by one worker, and tell: messages, mails and throttles in one transaction.
//! 3. What is held is told where a digest is due.
//! 4. Messages end with their mails; of those that do not get through another way tells, and what nobody heard is told
//!    again.
//! 5. What was written is enqueued. If the process dies before, the sweep enqueues it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use job::Job;
use job::clock::before;
use queue::Enqueue;
use store::{FlushedGroups, NotificationRef, StoreError};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};
use uuid::Uuid;

use super::forecast::Forecast;
use super::mute::{Mutes, inhibitor};
use super::teller::{Telling, digest};
use super::trouble;
use crate::context::Context;
use crate::intents;
use crate::jobs::alert_notify::AlertNotify;
use crate::jobs::email_send::EmailSend;

/// How often a worker looks.
const EVERY: Duration = Duration::from_secs(1);
/// Incidents that end together, and groups that are taken together.
const ENDING: u32 = 500;
const GROUPS: u32 = 50;
/// Groups that are due within the next minute, of which is looked what they will tell.
const SOON: u32 = 500;
/// How long after a word about troubled mails there is no other one.
const QUIET: Duration = Duration::from_secs(5 * 60);

/// What a look did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Looked {
    /// Incidents that ended because they were not heard of.
    pub expired: usize,
    /// Groups whose time had come.
    pub groups: usize,
    /// Mails that were written.
    pub mails: usize,
    /// Messages to be posted.
    pub posts: usize,
    /// Messages that wait for a digest.
    pub held: usize,
    /// Digests among the mails and posts.
    pub digests: usize,
}

/// Looks every second until `end`.
pub(crate) async fn run(context: Arc<Context>, end: CancellationToken) {
    let looking = async {
        loop {
            tokio::time::sleep(EVERY).await;
            match once(&context).await {
                Ok(looked) if looked == Looked::default() => {}
                Ok(Looked { expired, groups, mails, posts, held, digests }) => {
                    info!(expired, groups, mails, posts, held, digests, "alerts were told");
                }
                // Whatever is away is reported by those who need it more.
                Err(error) => debug!(%error, "alerts are looked at again in a moment"),
            }
        }
    };
    // A look that is cut short leaves what is due for the next one.
    end.run_until_cancelled(looking).await;
}

/// One look.
///
/// # Errors
/// As the store says; what was told before stays told.
pub async fn once(context: &Context) -> Result<Looked, StoreError> {
    let due = context.store.alerts_due().await?;
    let look = Look { context, now: context.clock.now() };
    let mut looked = Looked::default();
    if due.at.is_some_and(|at| at <= look.now) {
        looked.expired = look.expire().await?;
        look.groups(&mut looked).await?;
        look.digests(&mut looked).await?;
    }
    if due.mailed {
        look.fates(&mut looked).await?;
    }
    let told = [("mail", looked.mails), ("post", looked.posts), ("held", looked.held), ("digest", looked.digests)];
    told.iter().filter(|(_, count)| *count > 0).for_each(|(what, n)| context.meters.alert_messages(what, *n as u64));
    Ok(looked)
}

struct Look<'a> {
    context: &'a Context,
    now: Timestamp,
}

impl Look<'_> {
    async fn expire(&self) -> Result<usize, StoreError> {
        let mut expired = 0;
        loop {
            let overdue = self.context.store.overdue_incidents(ENDING, self.now).await?;
            if overdue.is_empty() {
                return Ok(expired);
            }
            expired += self.context.alerts.expire(&overdue, self.now).await?;
        }
    }

    async fn groups(&self, looked: &mut Looked) -> Result<(), StoreError> {
        let rules = self.context.alerts.rules();
        let store = &self.context.store;
        let mutes = Mutes::new(store.active_silences(self.now).await?, inhibitor(store, rules).await?, self.now);
        let (mail_id, id) = (|| self.mail_id(), || self.id());
        loop {
            // Anew each time: with very many groups those that come last were not in the first forecast.
            let soon = store.groups_due_soon(SOON, self.now).await?;
            let forecast = Forecast::new(rules, &mutes, store.told_lately(self.now).await?, soon, self.now);
            let mut telling = Telling {
                rules,
                mutes: &mutes,
                forecast: &forecast,
                now: self.now,
                mail_id: &mail_id,
                id: &id,
                said: HashMap::new(),
                know: HashSet::new(),
            };
            let told = store.flush_groups(GROUPS, self.now, &mut telling).await?;
            looked.groups += told.groups;
            looked.held += told.held;
            self.enqueue(&told, looked).await;
            if told.groups < GROUPS as usize {
                return Ok(());
            }
        }
    }

    async fn digests(&self, looked: &mut Looked) -> Result<(), StoreError> {
        let rules = self.context.alerts.rules();
        loop {
            let decide = |due: &store::DueDigest| digest(rules, due, self.now, || self.mail_id(), self.id());
            let Some(told) = self.context.store.tell_digest(self.now, decide).await? else { return Ok(()) };
            looked.digests += told.mails.len() + told.posts.len();
            self.enqueue(&told, looked).await;
        }
    }

    async fn fates(&self, looked: &mut Looked) -> Result<(), StoreError> {
        let (store, rules) = (&self.context.store, self.context.alerts.rules());
        store.end_sent_mails(self.now).await?;
        let last_told = before(self.now, QUIET);
        let decide = |trouble: &[store::Trouble]| trouble::tell(rules, trouble, || self.mail_id(), || self.id());
        let told = store.tell_trouble(last_told, self.now, decide).await?;
        self.enqueue(&told, looked).await;
        store.end_failed_mails(self.now).await?;
        Ok(())
    }

    /// Enqueues what was written. A queue that is away is no loss: the sweep finds the rows.
    async fn enqueue(&self, told: &FlushedGroups, looked: &mut Looked) {
        looked.mails += told.mails.len();
        looked.posts += told.posts.len();
        let mails = told.mails.iter().map(|mail| Enqueue::from(intents::delivery(mail, self.now)));
        let post = |post: &NotificationRef| Enqueue::from(intents::notification(post, self.now));
        let jobs: Vec<Enqueue> = mails.chain(told.posts.iter().map(post)).collect();
        if !jobs.is_empty()
            && let Err(error) = self.context.broker.enqueue(&jobs).await
        {
            debug!(%error, "messages of alerts are left to the sweep");
        }
    }

    fn mail_id(&self) -> Uuid {
        self.context.ids.next(&EmailSend::queue()).uuid()
    }

    fn id(&self) -> Uuid {
        self.context.ids.next(&AlertNotify::queue()).uuid()
    }
}
