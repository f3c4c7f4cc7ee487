//! Step 2: the profile that the mail comes from. Nothing else can be a From.

use store::Delivery;

use super::{Halt, Send};
use crate::lacking::Lack;
use crate::mailer::Sender;

impl<'a> Send<'a> {
    /// The sender; a mail of one that this worker does not have waits for a worker that has it.
    pub(super) async fn known_sender(&self, delivery: &Delivery) -> Result<&'a Sender, Halt> {
        let lack = || Lack::Sender(delivery.sender.clone());
        match self.sender(delivery) {
            Some(sender) => {
                self.has(delivery, lack()).await;
                Ok(sender)
            }
            None => Err(self.lacks(delivery, lack()).await),
        }
    }

    /// The sender, if this worker has it.
    pub(super) fn sender(&self, delivery: &Delivery) -> Option<&'a Sender> {
        self.mailer.senders.get(&delivery.sender)
    }
}
