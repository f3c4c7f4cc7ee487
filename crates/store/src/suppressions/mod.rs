//! Who must not be written to: bounced addresses, complaints, readers who had enough, and whom an operator names.
//!
//! 1. A reason is added (`add`); the same address is suppressed once for all mails, and once for reports.
//! 2. Before each mail the e-mail job asks, many mails in one statement (`find`). Only what covers the mail's category holds
//!    it: who unsubscribed from reports still gets the booking.
//! 3. Lifting one sets on their way again the mails that it held, in the same transaction (`lift`).
//! 4. Lifted ones stay in the list: anyone can ask why a person did not get a mail (`list`).

mod add;
mod find;
mod lift;
mod list;
mod record;

pub(crate) use add::insert;
pub use add::{Added, NewSuppression};
pub(crate) use find::Asked;
pub use lift::{Lifted, Lifting, Which};
pub use list::SuppressionFilter;
pub use record::{Covers, Suppression, SuppressionReason};
