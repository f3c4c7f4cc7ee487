//! Search analytics: events as they come, and what is counted of them.
//!
//! 1. `window`: the hours and days in which searches are counted.
//! 2. `metrics`: what was counted in a window, and the rates that follow from it.
//! 3. `queries`: what was counted of each query: popular, trending, problem and zero-result ones.

mod metrics;
mod queries;
mod window;

pub use metrics::{Breakdown, MetricsFilter, SearchMetrics};
pub use queries::{QuerySort, SearchQuery};
pub use window::Granularity;
