//! What waits for the next statement: a line for each question that every mail asks on its way.
//!
//! A mail that is sent reads who must not be written to and how its booking stands, and writes to the ledger three times. A
//! worker has many under way; together they cost a few statements and not five each.

use std::sync::Arc;

use crate::bookings::Booking;
use crate::db::Batch;
use crate::deliveries;
use crate::suppressions::{Asked, Suppression};

/// The lines of one store.
#[derive(Default)]
pub(crate) struct Batches {
    /// Writes to the ledger.
    pub(crate) ledger: deliveries::Batches,
    /// What is in force against an address.
    pub(crate) suppressions: Arc<Batch<Asked, Vec<Suppression>>>,
    /// A booking by its id.
    pub(crate) bookings: Arc<Batch<String, Option<Booking>>>,
}
