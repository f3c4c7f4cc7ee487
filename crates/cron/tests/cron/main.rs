//! When things fire: lists written down by hand for every change of the clocks, and any expression against an oracle that
//! looks at each minute.
#![expect(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod fire_lists;
mod oracle;
