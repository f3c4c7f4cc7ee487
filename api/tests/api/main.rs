//! The API through its router, over a real queue and a real store.

mod bookings;
mod contract;
mod harness;
mod keys;
mod jobs;
mod mailbox;
mod outages;
mod refusals;
mod storms;
