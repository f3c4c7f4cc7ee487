//! Taking out what has grown old, a piece at a time: each call is one short statement, so that nobody waits for it.
//!
//! A mail loses its content first and its row, with the key that keeps it from being written again, much later. What is
//! not at its end stays, however old.

use jiff::Timestamp;

use crate::db::{At, Store};
use crate::error::StoreError;

/// What can be taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Old {
    /// What mails were filled with. The row stays, and so does its history.
    MailContents,
    /// What callers of `POST /v1/emails` gave to be sent, of emails whose mails are all at their end.
    EmailContents,
    /// Mails, with their attempts.
    Mails,
    /// Calls of `POST /v1/emails` that have no mails any more.
    Emails,
    /// Booking events, except the one that a booking stands at: it tells a repeated report from a new one.
    BookingEvents,
    /// Ticks of schedules.
    Ticks,
    /// Silences that are over.
    Silences,
    /// Searches, and what was done with what they found.
    SearchEvents,
    /// The searches of guests, with what was done with what they found.
    GuestSearches,
    /// What was counted of each query by the hour; that of days stays.
    HourlyQueries,
    /// That a subject was erased: by then nothing of theirs waits in a queue any more.
    SearchErasures,
    /// Messages about incidents that came to their end.
    Notifications,
    /// Incidents that are over, with their histories.
    Incidents,
}

impl Old {
    /// Rows that one statement takes out.
    pub const CHUNK: u32 = 500;

    /// Everything, in the order in which it is taken out.
    pub const ALL: [Self; 13] = [
        Self::MailContents,
        Self::EmailContents,
        Self::Mails,
        Self::Emails,
        Self::BookingEvents,
        Self::Ticks,
        Self::Silences,
        Self::SearchEvents,
        Self::GuestSearches,
        Self::HourlyQueries,
        Self::SearchErasures,
        Self::Notifications,
        Self::Incidents,
    ];

    /// Its name in results and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MailContents => "mail_contents",
            Self::EmailContents => "email_contents",
            Self::Mails => "mails",
            Self::Emails => "emails",
            Self::BookingEvents => "booking_events",
            Self::Ticks => "ticks",
            Self::Silences => "silences",
            Self::SearchEvents => "search_events",
            Self::GuestSearches => "guest_searches",
            Self::HourlyQueries => "hourly_queries",
            Self::SearchErasures => "search_erasures",
            Self::Notifications => "notifications",
            Self::Incidents => "incidents",
        }
    }
}

impl Store {
    /// Takes out up to [`Old::CHUNK`] rows that are older than `before`; answers how many. Fewer: there are no more.
    ///
    /// # Errors
    /// As the database says.
    pub async fn take_out(&self, old: Old, before: Timestamp, now: Timestamp) -> Result<u32, StoreError> {
        let mut session = self.write_one().await?;
        let statement = match old {
            // These are transactions of their own: what goes is noted for the counts.
            Old::GuestSearches => {
                drop(session);
                return self.take_out_guest_searches(before, Old::CHUNK).await;
            }
            Old::SearchEvents => {
                drop(session);
                return self.take_out_search_events(before, Old::CHUNK).await;
            }
            Old::HourlyQueries => {
                drop(session);
                return self.take_out_hourly_queries(before, Old::CHUNK).await;
            }
            Old::MailContents => session
                .sql(
                    "UPDATE deliveries SET data = '{}', calendar = NULL, content_removed_at = $3
                     WHERE id IN (SELECT id FROM deliveries
                                  WHERE content_removed_at IS NULL AND created_at < $1
                                    AND state IN ('sent', 'suppressed', 'cancelled', 'expired', 'failed')
                                  ORDER BY created_at LIMIT $2)",
                )
                .bind(At(before))
                .bind(i64::from(Old::CHUNK))
                .bind(At(now)),
            Old::EmailContents => session
                .sql(
                    "UPDATE emails SET content = NULL
                     WHERE id IN (SELECT e.id FROM emails e
                                  WHERE e.content IS NOT NULL AND e.created_at < $1
                                    AND NOT EXISTS (SELECT 1 FROM deliveries d
                                                    WHERE d.email_id = e.id
                                                      AND d.state NOT IN ('sent', 'suppressed', 'cancelled', 'expired',
                                                                          'failed'))
                                  ORDER BY e.created_at LIMIT $2)",
                )
                .bind(At(before))
                .bind(i64::from(Old::CHUNK)),
            Old::Emails => session
                .sql(
                    "DELETE FROM emails
                     WHERE id IN (SELECT e.id FROM emails e
                                  WHERE e.created_at < $1
                                    AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.email_id = e.id)
                                  ORDER BY e.created_at LIMIT $2)",
                )
                .bind(At(before))
                .bind(i64::from(Old::CHUNK)),
            Old::Mails => session
                .sql(
                    "DELETE FROM deliveries
                     WHERE id IN (SELECT id FROM deliveries
                                  WHERE created_at < $1
                                    AND state IN ('sent', 'suppressed', 'cancelled', 'expired', 'failed')
                                  ORDER BY created_at LIMIT $2)",
                )
                .bind(At(before))
                .bind(i64::from(Old::CHUNK)),
            Old::BookingEvents => session
                .sql(
                    "DELETE FROM booking_events
                     WHERE (booking_id, version) IN (
                         SELECT e.booking_id, e.version FROM booking_events e
                         WHERE e.received_at < $1 AND e.state <> 'accepted'
                           AND NOT EXISTS (SELECT 1 FROM bookings b WHERE b.id = e.booking_id AND b.version = e.version)
                         ORDER BY e.received_at LIMIT $2)",
                )
                .bind(At(before))
                .bind(i64::from(Old::CHUNK)),
            Old::Ticks => session
                .sql(
                    "DELETE FROM schedule_ticks
                     WHERE (schedule, planned_at) IN (
                         SELECT schedule, planned_at FROM schedule_ticks
                         WHERE created_at < $1 AND state NOT IN ('open', 'waiting')
                         ORDER BY created_at LIMIT $2)",
                )
                .bind(At(before))
                .bind(i64::from(Old::CHUNK)),
            Old::Silences => session
                .sql(
                    "DELETE FROM silences
                     WHERE id IN (SELECT id FROM silences WHERE ends_at < $1 ORDER BY ends_at LIMIT $2)",
                )
                .bind(At(before))
                .bind(i64::from(Old::CHUNK)),
            Old::SearchErasures => session
                .sql(
                    "DELETE FROM search_erasures
                     WHERE subject IN (SELECT subject FROM search_erasures WHERE erased_at < $1 LIMIT $2)",
                )
                .bind(At(before))
                .bind(i64::from(Old::CHUNK)),
            Old::Notifications => session
                .sql(
                    "DELETE FROM alert_notifications
                     WHERE id IN (SELECT id FROM alert_notifications
                                  WHERE created_at < $1 AND state IN ('gathered', 'sent', 'failed')
                                  ORDER BY created_at LIMIT $2)",
                )
                .bind(At(before))
                .bind(i64::from(Old::CHUNK)),
            Old::Incidents => session
                .sql(
                    "DELETE FROM incidents
                     WHERE id IN (SELECT id FROM incidents
                                  WHERE state = 'resolved' AND first_seen_at < $1 AND resolved_at < $1
                                    AND NOT EXISTS (SELECT 1 FROM alert_members m WHERE m.incident_id = incidents.id)
                                  ORDER BY first_seen_at LIMIT $2)",
                )
                .bind(At(before))
                .bind(i64::from(Old::CHUNK)),
        };
        let taken = statement.run().await?;
        Ok(u32::try_from(taken).unwrap_or(Old::CHUNK))
    }
}
