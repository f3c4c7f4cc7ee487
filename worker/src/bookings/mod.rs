//! What follows from bookings: who is told what, when, and what is still true when a mail is about to go.
//!
//! 1. `rules` are the settings; `role` names the two people of a booking.
//! 2. `tellings` is the list of mails that each event leads to; `letter` makes a mail of one of them.
//! 3. `event` is what the jobs of all booking events do: apply, write the mails, enqueue them.
//! 4. `plan` says when reminders are due; `remind` claims them and makes their mails; `quiet` knows when people sleep.
//! 5. `still_true` looks again at a mail that is about to be sent.
//! 6. `reconcile` compares what must have been mailed with the ledger.

pub mod event;
mod letter;
pub mod plan;
mod quiet;
pub mod reconcile;
pub mod remind;
mod role;
mod rules;
pub mod still_true;
mod tellings;

pub use quiet::QuietHours;
pub use role::Role;
pub use rules::{BookingRules, ReviewRules};
