//! The command line as its users meet it: the real binary, a real Redis, SQLite files and Postgres.
#![expect(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod bulk;
mod delivery;
mod demo;
mod doctor;
mod domain;
mod enqueue;
mod harness;
mod heartbeats;
mod incidents;
mod jobs;
mod keys;
mod migrate;
mod queues;
mod reconcile;
mod refusals;
mod schedules;
mod search;
mod secrets;
mod shapes;
mod silences;
mod start;
mod suppressions;
mod templates;
