//! The API through its router, over a real queue and a real store.
#![expect(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod alertmanager;
mod bookings;
mod contract;
mod deliveries;
mod domains;
mod emails;
mod harness;
mod heartbeats;
mod incidents;
mod jobs;
mod keys;
mod mailbox;
mod outages;
mod refusals;
mod schedules;
mod search;
mod search_page;
mod silences;
mod storms;
mod templates;
