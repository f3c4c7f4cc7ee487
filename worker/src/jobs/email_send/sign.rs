//! Step 7: DKIM, with the message's own date, so that a retry signs the same bytes the same way.

use super::Halt;
use super::render::{Letter, unsendable};
use crate::mailer::Sender;

/// The message with its signature in front.
pub(super) fn sign(sender: &Sender, letter: &Letter) -> Result<Vec<u8>, Halt> {
    sender.signer.sign(&letter.message, letter.date).map_err(unsendable)
}
