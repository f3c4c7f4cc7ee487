//! Step 5: is the mail still worth sending, and still true, now that it is about to go?

use std::borrow::Cow;
use std::time::Duration;

use store::{Delivery, Party};

use super::{Halt, Send};
use crate::bookings::still_true::{Look, look};

/// How soon a booking is looked up again that could not be read.
const STORE_WAIT: Duration = Duration::from_secs(2);

impl Send<'_> {
    /// Its deadline may have passed while it waited, and what it tells of a booking may have changed. Answers the mail as
    /// it is true now.
    pub(super) async fn still_worth_sending<'d>(&self, delivery: &'d Delivery) -> Result<Cow<'d, Delivery>, Halt> {
        if delivery.deadline.is_some_and(|deadline| deadline <= self.now()) {
            return Err(Halt::Expired("its deadline has passed".to_owned()));
        }
        let about = delivery.booking_version.or(delivery.booking_moves).and(delivery.booking_id.as_deref());
        let Some(id) = about else { return Ok(Cow::Borrowed(delivery)) };
        let booking = match self.context.store.get_booking(id).await {
            Ok(booking) => booking,
            Err(e) if e.is_transient() => {
                return Err(Halt::Later { why: format!("the store is away: {e}"), wait: STORE_WAIT });
            }
            Err(e) => return Err(Halt::Unsendable(format!("its booking cannot be read: {e}"))),
        };
        let now = self.now();
        match look(&self.context.bookings, booking.as_ref(), delivery, now) {
            Look::True => Ok(Cow::Borrowed(delivery)),
            Look::TrueAs(mail) => Ok(Cow::Owned(*mail)),
            Look::Moved(party) => Err(self.readdress(&party).await),
            Look::Untrue(why) => Err(Halt::CalledOff(why)),
            Look::Sleeps(until) => {
                let wait = until.duration_since(now).try_into().unwrap_or_default();
                Err(Halt::Later { why: format!("its reader sleeps until {until}"), wait })
            }
        }
    }

    /// The row gets its reader's new address under this attempt's token; then the path begins anew, for whether mail may
    /// leave to that address was not asked yet.
    async fn readdress(&self, party: &Party) -> Halt {
        match self.context.store.readdress(self.id, self.token, party, self.now()).await {
            Ok(_) => Halt::Later { why: "its reader has another address now".to_owned(), wait: Duration::ZERO },
            Err(e) => Halt::Later { why: format!("the store is away: {e}"), wait: STORE_WAIT },
        }
    }
}
