//! Step 5: is the mail still worth sending, now that it is about to go?

use store::Delivery;

use super::{Halt, Send};

impl Send<'_> {
    /// Its deadline may have passed while it waited.
    pub(super) async fn still_worth_sending(&self, delivery: &Delivery) -> Result<(), Halt> {
        match delivery.deadline {
            Some(deadline) if deadline <= self.now() => Err(Halt::Expired("its deadline has passed".to_owned())),
            _ => Ok(()),
        }
    }
}
