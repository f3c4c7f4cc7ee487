//! Step 4: may this person be written to?

use store::Delivery;

use super::{Halt, Send};

impl Send<'_> {
    /// Everybody may, until somebody is found not to want a mail, or an address not to exist.
    pub(super) async fn pass_suppression(&self, _: &Delivery) -> Result<(), Halt> {
        Ok(())
    }
}
