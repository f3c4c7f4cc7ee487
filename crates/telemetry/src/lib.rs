//! How a process tells what it does: log events with fixed field names, figures for Prometheus, and masks for what must
//! not be told. `docs/LOGGING.md` holds the conventions.
//!
//! 1. [`log::init`] once, first thing in `main`.
//! 2. [`metrics::install`] before anything asks for a meter: a meter made earlier counts nowhere.
//! 3. [`metrics::Meters`] is handed to whoever counts.

pub mod fields;
pub mod log;
pub mod metrics;
pub mod redact;
