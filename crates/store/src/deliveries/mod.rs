//! The mail ledger: one row a mail to one person, from the decision to send it until its end.
//!
//! 1. The job that decides writes the row, `queued`, in the transaction of its decision (`insert`).
//! 2. An attempt begins: the row is `sending` under the lease token of the job (`begin`).
//! 3. The receiver answers DATA with 354: before the first body byte the phase `data` is written under that token. Who
//!    has lost the lease finds out here and drops the connection (`begin`).
//! 4. The attempt ends: state and attempt are written together, under the token (`settle`).
//!    The three writes that every mail makes are done for many mails at a time (`batch`).
//! 5. People and repaired domains move what is stuck: cancel, release, resolve (`intervene`);
//!    a mended domain's are released many at a time (`release`).
//! 6. A job that ended without bringing its mail to an end takes the mail with it (`close`).
//! 7. Anyone may ask what became of it (`read`, `history`), and is answered in words (`story`).
//!
//! [`table`] is the table of all moves; every update names its sources from it. [`Class`] says what differs between kinds of
//! mail.

mod batch;
mod begin;
mod class;
mod close;
mod events;
mod history;
mod insert;
mod intervene;
mod read;
mod readdress;
mod record;
mod release;
mod settle;
mod state;
mod story;
pub mod table;
mod vitals;

pub use begin::{Begun, OnTheWire};
pub use class::{Category, Class};
pub use events::{DeliveryEvent, DeliveryEventKind};
pub use history::{Deed, History};
pub use insert::NewDelivery;
pub use intervene::{Action, By, Gone, Moved};
pub use read::DeliveryFilter;
pub use record::{Attempt, Delivery, DeliveryRef};
pub use release::HeldMail;
pub use settle::AttemptReport;
pub use state::{AttemptOutcome, DeliveryState, MailPhase};
pub use story::story;
pub use vitals::MailVitals;

pub(crate) use batch::Batches;
pub(crate) use close::close;
pub(crate) use insert::{insert, recipient_key};
pub(crate) use intervene::note;
pub(crate) use release::releasable;
