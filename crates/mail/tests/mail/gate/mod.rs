//! The gate against a fake zone: real packets on loopback, a rule at a time, good, bad and border.

mod answers;
mod desk;
mod dkim;
mod dmarc;
mod elsewhere;
mod extras;
mod routes;
mod spf;
