//! Step 8: DKIM, with the message's own date, so that a retry signs the same bytes the same way.
//!
//! What receivers refuse whatever the DNS says (two From, a line too long, a bare LF) is not signed.

use mail::DkimSigner;
use mail::gate::rules;

use super::Halt;
use super::render::{Letter, unsendable};

/// The message with its signature in front.
pub(super) fn sign(signer: &DkimSigner, letter: &Letter) -> Result<Vec<u8>, Halt> {
    if let Some(finding) = rules::message::check(&letter.message).first() {
        return Err(unsendable(format!("{} ({}): {}", finding.rule, finding.source, finding.found)));
    }
    signer.sign(&letter.message, letter.date).map_err(unsendable)
}
