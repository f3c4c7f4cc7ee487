//! The command line as its users meet it: the real binary, a real Redis, SQLite files and Postgres.

mod bulk;
mod doctor;
mod enqueue;
mod harness;
mod jobs;
mod keys;
mod migrate;
mod queues;
mod refusals;
mod shapes;
