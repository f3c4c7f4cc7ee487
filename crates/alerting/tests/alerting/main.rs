//! Labels, matchers, routes, silences and inhibition: by hand, and against plain oracles with random input.
#![expect(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod alerts;
mod inhibition;
mod labels;
mod matchers;
mod oracle;
mod preview;
mod routes;
mod silences;
