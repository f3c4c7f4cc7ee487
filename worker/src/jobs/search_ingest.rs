//! `search.ingest`: writes a batch of search events to the store.
//!
//! Enqueued by `POST /v1/search/events`, which has checked them; until this job is done only the queue holds them. Effect:
//! the events are appended, and the hours that they belong to are marked for `search.rollup`.
//! Twice is harmless: an event that is there already changes nothing.

use jiff::Timestamp;
use job::{Attempt, Completed, FieldError, Job, Outcome};
use serde::{Deserialize, Serialize};
use store::{NewInteraction, NewSearch, SearchBatch};

use crate::context::Context;
use crate::jobs::store_failed;

/// The events of one call.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchIngest {
    /// When they were accepted.
    pub received_at: Timestamp,
    /// Searches.
    #[serde(default)]
    pub searches: Vec<NewSearch>,
    /// What was done with what searches found.
    #[serde(default)]
    pub interactions: Vec<NewInteraction>,
}

impl SearchIngest {
    /// The most events in one job.
    pub const MOST: usize = 1_000;
}

impl Job for SearchIngest {
    const KIND: &'static str = "search.ingest";
    const QUEUE: &'static str = "search";
    const INTERNAL: bool = true;
    const PRIVATE: bool = true;
    type Context = Context;

    fn validate(&self) -> Result<(), Vec<FieldError>> {
        match self.searches.len() + self.interactions.len() {
            0..=Self::MOST => Ok(()),
            more => Err(vec![FieldError::new("searches", format!("at most {} events, not {more}", Self::MOST))]),
        }
    }

    async fn run(self, context: &Context, attempt: &Attempt) -> Outcome {
        let batch = SearchBatch {
            searches: &self.searches,
            interactions: &self.interactions,
            received_at: self.received_at,
            written_at: context.clock.now(),
            token: attempt.job.uuid(),
        };
        let written = context.store.ingest_search_events(&batch, &context.search.rules).await;
        let written = written.map_err(|e| store_failed(&e))?;
        tracing::debug!(
            searches = written.searches,
            interactions = written.interactions,
            waiting = written.waiting,
            "search events were written"
        );
        Ok(Completed::default())
    }
}
