//! Step 2: the profile that the mail comes from. Nothing else can be a From.

use store::Delivery;

use super::{Halt, Send};
use crate::mailer::Sender;

impl<'a> Send<'a> {
    pub(super) fn sender(&self, delivery: &Delivery) -> Result<&'a Sender, Halt> {
        let senders = &self.mailer.senders;
        let missing = || Halt::Unsendable(format!("no sender {:?} is configured", delivery.sender));
        senders.get(&delivery.sender).ok_or_else(missing)
    }
}
