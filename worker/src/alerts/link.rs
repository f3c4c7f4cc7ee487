//! The link by which somebody takes on what a message tells of.
//!
//! Its token names the message, so that one link stands for all its incidents, and whom it went to; it proves that we made
//! it, and works for a week. Who opens it sees a page; only the button acts.

use std::time::Duration;

use jiff::Timestamp;
use job::clock::after;
use secrets::{Keyring, LinkError, Purpose};
use uuid::Uuid;

/// How long a link works.
const WORKS: Duration = Duration::from_hours(7 * 24);

/// The link of a message that was decided at `decided`: the same whenever it is asked for.
#[must_use]
pub fn acknowledge(ring: &Keyring, public_url: &str, notification: Uuid, decided: Timestamp) -> String {
    let token = ring.sign_link(Purpose::Acknowledge, &notification.simple().to_string(), after(decided, WORKS));
    format!("{public_url}/acknowledge/{token}")
}

/// The message whose link this is.
///
/// # Errors
/// [`LinkError`]: it is none of ours, or too old.
pub fn read(ring: &Keyring, token: &str, now: Timestamp) -> Result<Uuid, LinkError> {
    let subject = ring.verify_link(Purpose::Acknowledge, token, now)?;
    Uuid::try_parse(&subject).map_err(|_| LinkError::Invalid)
}
