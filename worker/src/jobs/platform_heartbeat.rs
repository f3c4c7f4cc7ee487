//! `platform.heartbeat`: shows that scheduler, queue, worker and store work together.
//!
//! Enqueued by the schedule `heartbeat`, each minute. Effect: `postrider_heartbeat_timestamp_seconds` is now. An alert on
//! its age notices whichever of them stands still.
//! Twice is harmless: the later time counts.

use std::time::Duration;

use job::{Attempt, Completed, Job, Outcome};
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::jobs::store_failed;

/// The arguments: none.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformHeartbeat {}

impl Job for PlatformHeartbeat {
    const KIND: &'static str = "platform.heartbeat";
    const QUEUE: &'static str = "default";
    const MAX_ATTEMPTS: u32 = 3;
    const TIMEOUT: Duration = Duration::from_secs(15);
    type Context = Context;

    async fn run(self, context: &Context, _: &Attempt) -> Outcome {
        context.store.ping().await.map_err(|e| store_failed(&e))?;
        context.meters.heartbeat(context.clock.now_ms());
        Ok(Completed::default())
    }
}
