//! Search analytics: events as they come, and what is counted of them. docs/SEARCH.md has the formulas.
//!
//! 1. `event`, `ingest`: a batch of searches, and of what was done with what they found, is appended in one transaction;
//!    `erased` leaves out what is of erased subjects.
//! 2. `marks`: which windows hold events that are not counted yet; `settle`: interactions whose search is not there yet.
//! 3. `facts`, `tally`, `crowd`, `mask`: the searches of a window, one by one, and counting them. `rollup` replaces what was
//!    counted of a window (`counted`); `state` knows what is gone by then.
//! 4. `metrics`, `queries`: reading the counts. `window`: the hours and days that they are of.
//! 5. `partitions`, `aging`, `subjects`: what has grown old goes, and what somebody wants gone. `fill` is for measurements.

mod aging;
mod counted;
mod crowd;
mod erased;
mod event;
mod facts;
mod fill;
mod ingest;
mod marks;
mod mask;
mod metrics;
mod partitions;
mod queries;
mod rollup;
mod rules;
mod settle;
mod state;
mod subjects;
mod tally;
mod window;

pub use event::{Device, EventId, InteractionKind, NewInteraction, NewSearch, SubjectOf, session_key, subject_key};
pub use ingest::{Ingested, SearchBatch};
pub use marks::DirtyWindow;
pub use mask::masked as masked_query;
pub use metrics::{Breakdown, MetricsFilter, SearchMetrics};
pub use queries::{QuerySort, SearchQuery};
pub use rollup::RolledWindow;
pub use rules::{CLOCKS_APART, SearchRules};
pub use settle::Settled;
pub use subjects::{ErasedSearches, KeptInteraction, KeptSearch};
pub use window::Granularity;
