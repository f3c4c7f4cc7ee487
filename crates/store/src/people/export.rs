//! Everything that is kept of a person, for them to read.

use super::find;
use crate::bookings::{Booking, BookingEvent};
use crate::db::Store;
use crate::deliveries::{Attempt, Delivery, DeliveryEvent, recipient_key};
use crate::emails::Email;
use crate::error::StoreError;
use crate::suppressions::{Suppression, SuppressionFilter};

/// Rows of a list that are read at a time.
const PAGE: u32 = 1000;

/// A mail to the person, with its history.
#[derive(Debug, Clone, PartialEq)]
pub struct PersonMail {
    /// The mail.
    pub delivery: Delivery,
    /// Its attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// What was learned about it besides.
    pub events: Vec<DeliveryEvent>,
}

/// Everything that is kept of a person.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PersonExport {
    /// The bookings that they are or were a party of.
    pub bookings: Vec<Booking>,
    /// What was reported about those.
    pub booking_events: Vec<BookingEvent>,
    /// The mails to them, oldest first.
    pub mails: Vec<PersonMail>,
    /// What callers asked to be sent to them; what it says is sealed.
    pub emails: Vec<Email>,
    /// Why they are not, or were not, written to.
    pub suppressions: Vec<Suppression>,
}

impl Store {
    /// Everything that is kept of the person with this address.
    ///
    /// # Errors
    /// As the database says.
    pub async fn export_person(&self, address: &str) -> Result<PersonExport, StoreError> {
        let address = recipient_key(address);
        let (bookings, mails) = {
            let mut session = self.read().await?;
            let bookings = find::bookings(&mut session, self.backend(), &address).await?;
            (bookings, find::mails(&mut session, &address).await?)
        };
        let mut export = PersonExport::default();
        for id in &bookings {
            export.bookings.extend(self.get_booking(id).await?);
            let events = self
                .read()
                .await?
                .sql(
                    "SELECT booking_id, version, event, snapshot, job_id, state, received_at, applied_at, failure
                     FROM booking_events WHERE booking_id = $1 ORDER BY version",
                )
                .bind(id.as_str())
                .all::<BookingEvent>()
                .await?;
            export.booking_events.extend(events);
        }
        for mail in &mails {
            if let Some((delivery, attempts)) = self.get_delivery(mail.id).await? {
                let events = self.delivery_events(mail.id).await?;
                export.mails.push(PersonMail { delivery, attempts, events });
            }
            if let Some(id) = mail.email_id
                && !export.emails.iter().any(|known| known.id == id)
            {
                export.emails.extend(self.get_email(id).await?);
            }
        }
        let filter = SuppressionFilter { address: Some(address), lifted: true, ..SuppressionFilter::default() };
        let mut cursor = None;
        loop {
            let page = self.list_suppressions(&filter, PAGE, cursor.as_deref()).await?;
            export.suppressions.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(export);
            }
        }
    }
}
