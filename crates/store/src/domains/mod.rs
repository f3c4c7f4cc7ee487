//! The domains that mail is sent from: where each stands, what was found and when, and the mails that wait for it.
//!
//! 1. `record`: a domain's row, read and written by compare-and-set, and which key signs for it.
//! 2. `relay`: where it stands with a further relay.
//! 3. `history`: what its checks found, a row for each change.
//! 4. `held`: the mails that were held because their domain would not authenticate.

mod held;
mod history;
mod record;
mod relay;

pub use history::{DomainCheck, NewDomainCheck};
pub use record::{Domain, DomainState};
pub use relay::DomainRelay;
