//! `domains.check`: would mail of a domain authenticate at its receivers?
//!
//! Enqueued by every worker at its start and when a domain is due, and by a schedule. Effect: the DNS is asked, the answer
//! is stored; mail of a domain that is good is released, mail of one that is not is held from then on.
//! Twice is harmless: a check that finds that another was just made releases what that has left, and does nothing else.

use std::time::Duration;

use job::clock::after;
use job::{Attempt, Completed, Job, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::context::Context;
use crate::gate::Cause;
use crate::jobs::store_failed;

/// A check that is younger than this stands for one at the start of another worker.
const JUST_NOW: Duration = Duration::from_secs(20);

/// The arguments.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainsCheck {
    /// The domain; none: all that mail is sent from.
    #[serde(default)]
    pub domain: Option<String>,
    /// Why.
    #[serde(default = "scheduled")]
    pub cause: Cause,
}

fn scheduled() -> Cause {
    Cause::Schedule
}

impl Job for DomainsCheck {
    const KIND: &'static str = "domains.check";
    const QUEUE: &'static str = "default";
    const INTERNAL: bool = true;
    type Context = Context;

    async fn run(self, context: &Context, _: &Attempt) -> Outcome {
        let Some(mailer) = &context.mailer else {
            return Ok(Completed::with(json!({ "checked": false, "reason": "no relay or no sender is configured" })));
        };
        let gate = &mailer.gate;
        let names: Vec<String> = match self.domain {
            Some(domain) => vec![domain],
            None => gate.plans().map(|plan| plan.domain.clone()).collect(),
        };
        let mut found = serde_json::Map::new();
        for name in names {
            let stored = context.store.domain(&name).await.map_err(|e| store_failed(&e))?;
            let now = context.clock.now();
            let done = stored.is_some_and(|domain| match self.cause {
                Cause::Due => domain.next_check_at.is_some_and(|due| due > now),
                Cause::Start => {
                    gate.is_of_plan(&domain) && domain.checked_at.is_some_and(|at| after(at, JUST_NOW) > now)
                }
                Cause::FirstSend | Cause::Request | Cause::Schedule => false,
            });
            let word = match done {
                true => {
                    // Whoever checked may not have lived to release what was held.
                    gate.release(context.means(), &name).await.map_err(|e| store_failed(&e))?;
                    "checked just now"
                }
                false => match gate.check(context.means(), &name, self.cause, false).await {
                    Ok(Some(checked)) => checked.domain.state.as_str(),
                    Ok(None) => "nobody sends from it",
                    Err(error) => return Err(store_failed(&error)),
                },
            };
            found.insert(name, json!(word));
        }
        Ok(Completed::with(json!(found)))
    }
}
