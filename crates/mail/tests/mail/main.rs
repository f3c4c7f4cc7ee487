//! Mail end to end: real DNS packets, real SMTP sockets, real keys.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod catcher;
mod cut;
mod dkim;
mod dns;
mod gate;
mod injection;
mod lab;
mod phases;
mod pool;
mod round_trip;
mod smtputf8;
mod tls;
mod verdicts;
