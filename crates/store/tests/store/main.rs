//! The store as its callers see it. Every test runs on SQLite and on Postgres, from one body.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod both;

mod bookings;
mod deliveries;
mod domains;
mod effects;
mod emails;
mod endings;
mod faults;
mod heartbeats;
mod intents;
mod keys;
mod ledger_table;
mod lists;
mod migrations;
mod orders;
mod people;
mod reminders;
mod retention;
mod schedules;
mod search;
mod silences;
mod suppressions;
mod turns;
mod vitals;
