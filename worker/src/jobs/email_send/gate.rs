//! Step 3: would mail of this sender authenticate at the receiver? If not it is held, and nobody is told a lie.

use store::Delivery;

use super::{Halt, Send};
use crate::mailer::Sender;

impl Send<'_> {
    /// What can be said without asking anybody: a signature by another domain than that of the From is not aligned, so it
    /// does not count for DMARC (RFC 7489 §3.1.1).
    pub(super) async fn pass_gate(&self, _: &Delivery, sender: &Sender) -> Result<(), Halt> {
        let (signs, from) = (sender.signer.domain(), sender.profile.address.domain());
        let aligned = from.eq_ignore_ascii_case(signs) || from.to_lowercase().ends_with(&format!(".{signs}"));
        match aligned {
            true => Ok(()),
            false => Err(Halt::Held(format!("its mail is signed by {signs}, which is not the domain of {from}"))),
        }
    }
}
