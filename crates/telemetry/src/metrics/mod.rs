//! Figures for Prometheus.
//!
//! Counting must cost next to nothing: at 100,000 jobs a second there is no room for building label strings and looking
//! them up. So a label set is turned into handles once ([`JobMeter`], [`QueueMeter`], [`HttpMeter`]), found again through a
//! map without allocating, and a count is one atomic addition; batches add their size once.

mod http;
mod jobs;
mod meters;
mod names;
mod queues;
mod recorder;

pub use http::HttpMeter;
pub use jobs::{JobMeter, Outcome};
pub use meters::Meters;
pub use names::*;
pub use queues::{QueueMeter, QueueState};
pub use recorder::{MetricsError, MetricsHandle, install};
