//! Step 1: the row becomes this attempt's.

use job::{Completed, Outcome, Unfinished};
use serde_json::json;
use store::{Begun, Delivery};
use tracing::error;

use super::Send;
use crate::jobs::store_failed;

impl Send<'_> {
    /// The mail to send; or how the job ends where there is none.
    pub(super) async fn begin(&self) -> Result<Delivery, Outcome> {
        let began = self.context.store.begin_sending(self.id, self.attempt.job.uuid(), self.token, self.now()).await;
        match began.map_err(|e| Err(store_failed(&e)))? {
            Begun::Begun(delivery) => Ok(*delivery),
            Begun::NotSendable(state) => Err(Ok(Completed::with(json!({ "delivery": state.as_str() })))),
            Begun::Superseded => Err(Ok(Completed::with(json!({ "delivery": "sent on by a later release" })))),
            Begun::BecameUnknown => {
                self.context.meters.delivery("unknown");
                error!(delivery_id = %self.id, "an earlier attempt died while it sent: whether the mail arrived is unknown");
                Err(Ok(Completed::with(json!({ "delivery": "unknown" }))))
            }
            Begun::Missing => Err(Err(Unfinished::fail(format!("no delivery {} is stored", self.id)))),
        }
    }
}
