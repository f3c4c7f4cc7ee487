//! When a schedule fires: cron expressions and intervals, in a time zone, over every change of the clocks.
//!
//! 1. [`Cron::parse`] reads five or six fields, a nickname (`@daily`) or an interval (`@every 15m`), and says which field
//!    is wrong and why ([`CronError`]).
//! 2. [`Zone::parse`] finds the zone in the database compiled into the binary: the system's copy is often years old.
//! 3. [`Cron::next_after`] finds the next instant; [`Cron::latest_within`] the last one of a span that has passed.
//!
//! No I/O, no clock: the same question has the same answer on every machine. Instants are whole seconds.

mod error;
mod expression;
mod field;
mod local;
mod walk;
mod zone;

pub use error::{CronError, Field};
pub use expression::Cron;
pub use zone::{UnknownZone, Zone};
