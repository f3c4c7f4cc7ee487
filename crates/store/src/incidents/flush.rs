//! Telling what is due: groups are taken under lock, judged by the caller's rules, and written with their messages, the mails
//! and the throttles that those move, in one transaction.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use sqlx::AssertSqlSafe;

use super::change::GroupCall;
use super::due;
use super::event::{self, IncidentEvent};
use super::group::{self, DueGroup, GroupNow};
use super::notification::{self, NewNotification, NotificationRef, NotificationState, Target};
use super::rows::{chunk, places};
use crate::db::{At, Record, Row, Session, Store};
use crate::deliveries::{self, DeliveryRef, NewDelivery};
use crate::error::StoreError;

/// What is to be written after groups were looked at.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Flush {
    /// The groups.
    pub groups: Vec<GroupNow>,
    /// What is to be told; whether it is told now is judged next.
    pub messages: Vec<NewNotification>,
    /// What happened to incidents.
    pub events: Vec<IncidentEvent>,
    /// Incidents that belong to other groups by now.
    pub calls: Vec<GroupCall>,
}

/// The rules by which groups tell.
pub trait Teller: Send {
    /// What groups that are due tell, and what they are then.
    fn decide(&mut self, due: Vec<DueGroup>) -> Flush;

    /// Which of the messages are told now, by how much each of their targets was told lately: sets their states, and makes
    /// the mails.
    fn admit(
        &mut self,
        messages: &mut [NewNotification],
        throttles: &mut HashMap<Target, Throttle>,
    ) -> Vec<NewDelivery>;
}

/// How much a target was told lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    /// When its present hour began.
    pub window_began_at: Timestamp,
    /// Messages since.
    pub window_messages: i64,
    /// When it last got a digest.
    pub digested_at: Option<Timestamp>,
    /// When it gets the next; none: nothing is held for it.
    pub digest_due_at: Option<Timestamp>,
    /// Until when what comes for it is gathered, because so much came at once; none: nothing was yet.
    pub storm_until: Option<Timestamp>,
}

impl Record for Throttle {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            window_began_at: row.get::<At>("window_began_at")?.0,
            window_messages: row.get("window_messages")?,
            digested_at: row.get::<Option<At>>("digested_at")?.map(|at| at.0),
            digest_due_at: row.get::<Option<At>>("digest_due_at")?.map(|at| at.0),
            storm_until: row.get::<Option<At>>("storm_until")?.map(|at| at.0),
        })
    }
}

/// What was told.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FlushedGroups {
    /// Groups that were looked at: fewer than asked for means that no more are due.
    pub groups: usize,
    /// Mails to enqueue.
    pub mails: Vec<DeliveryRef>,
    /// Messages to be posted, to enqueue.
    pub posts: Vec<NotificationRef>,
    /// Messages that wait for a digest.
    pub held: usize,
}

/// When the clockwork has something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AlertDue {
    /// The first instant at which a group, a digest or the end of an incident is due.
    pub at: Option<Timestamp>,
    /// Whether mails of alerts are under way, or something was posted and not taken, of which nobody was told yet.
    pub mailed: bool,
}

struct Due(AlertDue);

impl Record for Due {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let instant = |column| Ok::<_, StoreError>(row.get::<Option<At>>(column)?.map(|at| at.0));
        let all = [instant("groups_due")?, instant("digests_due")?, instant("ends_due")?];
        let mailed: i64 = row.get("mailed")?;
        Ok(Self(AlertDue { at: all.into_iter().flatten().min(), mailed: mailed > 0 }))
    }
}

impl Store {
    /// When there is something to do; a few looks into indexes.
    ///
    /// # Errors
    /// As the database says.
    pub async fn alerts_due(&self) -> Result<AlertDue, StoreError> {
        let due: Option<Due> = self
            .read()
            .await?
            .sql(
                "SELECT (SELECT MIN(due_at) FROM alert_groups WHERE due_at IS NOT NULL) AS groups_due,
                        (SELECT MIN(digest_due_at) FROM alert_targets WHERE digest_due_at IS NOT NULL) AS digests_due,
                        (SELECT MIN(expires_at) FROM incidents
                         WHERE state <> 'resolved' AND expires_at IS NOT NULL) AS ends_due,
                        (SELECT COUNT(*) FROM (SELECT 1 FROM alert_notifications WHERE state = 'mailed' LIMIT 1) AS one)
                        + (SELECT COUNT(*) FROM (SELECT 1 FROM alert_notifications
                                                 WHERE state = 'failed' AND trouble_told_at IS NULL
                                                   AND reason <> 'undelivered' LIMIT 1) AS one)
                            AS mailed",
            )
            .optional()
            .await?;
        Ok(due.map(|due| due.0).unwrap_or_default())
    }

    /// Takes up to `limit` groups whose time has come and tells what they have to tell, in one transaction.
    ///
    /// # Errors
    /// As the database says.
    pub async fn flush_groups(
        &self,
        limit: u32,
        now: Timestamp,
        teller: &mut impl Teller,
    ) -> Result<FlushedGroups, StoreError> {
        let mut transaction = self.begin().await?;
        let due = due::take_due(&mut transaction, self.backend(), limit, now).await?;
        if due.is_empty() {
            transaction.commit().await?;
            return Ok(FlushedGroups::default());
        }
        let groups = due.len();
        let Flush { groups: stand, mut messages, events, calls } = teller.decide(due);
        group::save(&mut transaction, &stand).await?;
        event::insert(&mut transaction, &events).await?;
        group::call(&mut transaction, &calls, &[], now).await?;
        let mut told = FlushedGroups { groups, ..FlushedGroups::default() };
        if !messages.is_empty() {
            let mut throttles = take_throttles(&mut transaction, &messages, now).await?;
            let mails = teller.admit(&mut messages, &mut throttles);
            save_throttles(&mut transaction, &throttles).await?;
            told.mails = deliveries::insert(&mut transaction, &mails, now).await?;
            notification::insert(&mut transaction, &messages, now).await?;
            told.posts = to_post(&messages);
            told.held = messages.iter().filter(|message| message.state == NotificationState::Held).count();
        }
        transaction.commit().await?;
        Ok(told)
    }
}

/// Those of the messages that a job posts.
pub(super) fn to_post(messages: &[NewNotification]) -> Vec<NotificationRef> {
    let queued = messages.iter().filter(|message| message.state == NotificationState::Queued);
    queued.map(|message| NotificationRef { id: message.id, job_id: message.id }).collect()
}

struct TargetRow(String, Throttle);

impl Record for TargetRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("target")?, Throttle::read(row)?))
    }
}

const TAKEN: usize = 3;
const SAVED: usize = 6;

/// The throttles of all targets of the messages, locked in the order of their keys.
async fn take_throttles(
    session: &mut Session,
    messages: &[NewNotification],
    now: Timestamp,
) -> Result<HashMap<Target, Throttle>, StoreError> {
    let targets: BTreeMap<String, &Target> =
        messages.iter().map(|message| (message.target.key(), &message.target)).collect();
    let mut throttles = HashMap::new();
    let keys: Vec<&String> = targets.keys().collect();
    for some in keys.chunks(chunk(TAKEN)) {
        // Writing each as it was locks it.
        let text = format!(
            "INSERT INTO alert_targets (target, window_began_at, window_messages) VALUES {}
             ON CONFLICT (target) DO UPDATE SET target = excluded.target
             RETURNING target, window_began_at, window_messages, digested_at, digest_due_at, storm_until",
            places(1, some.len(), TAKEN)
        );
        let mut statement = session.sql(AssertSqlSafe(text)).unprepared();
        for key in some {
            statement = statement.bind(key.as_str()).bind(At(now)).bind(0_i64);
        }
        for TargetRow(key, throttle) in statement.all().await? {
            if let Some(target) = targets.get(&key) {
                throttles.insert((*target).clone(), throttle);
            }
        }
    }
    Ok(throttles)
}

/// Writes throttles back.
pub(super) async fn save_throttles(
    session: &mut Session,
    throttles: &HashMap<Target, Throttle>,
) -> Result<(), StoreError> {
    let all: Vec<(&Target, &Throttle)> = throttles.iter().collect();
    for some in all.chunks(chunk(SAVED)) {
        let text = format!(
            "WITH told (target, window_began_at, window_messages, digested_at, digest_due_at, storm_until) AS (VALUES {})
             UPDATE alert_targets
             SET window_began_at = told.window_began_at, window_messages = told.window_messages,
                 digested_at = told.digested_at, digest_due_at = told.digest_due_at, storm_until = told.storm_until
             FROM told WHERE alert_targets.target = told.target",
            places(1, some.len(), SAVED)
        );
        let mut statement = session.sql(AssertSqlSafe(text)).unprepared();
        for (target, throttle) in some {
            statement = statement
                .bind(target.key())
                .bind(At(throttle.window_began_at))
                .bind(throttle.window_messages)
                .bind(throttle.digested_at.map(At))
                .bind(throttle.digest_due_at.map(At))
                .bind(throttle.storm_until.map(At));
        }
        statement.run().await?;
    }
    Ok(())
}
