//! `postrider jobs cancel` and `postrider jobs retry`: an operator's hands on single jobs.
//!
//! Each id stands for itself: one that cannot be acted on does not keep the others from it. If there was one, the exit
//! code is 1.

use std::process::ExitCode;
use std::sync::Arc;

use config::Config;
use job::{JobId, JobState, Kind, QueueName};
use queue::{Broker, Cancelled, Redriven};
use serde::Serialize;

use super::bulk;
use crate::output::{Cell, Colour, Column, List, Style, Table, print, print_json};

/// Which jobs to cancel.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider jobs cancel 01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77
  postrider jobs list --state scheduled --kind email.send --json | jq -r '.items[].id' | xargs postrider jobs cancel")]
pub struct CancelArgs {
    /// The jobs' ids
    #[arg(value_name = "ID", required = true)]
    ids: Vec<JobId>,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

/// Which jobs to retry.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider jobs retry 01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77
  postrider jobs retry --all-dead --queue emails
  postrider jobs retry --all-dead --queue emails --kind email.send")]
pub struct RetryArgs {
    /// The jobs' ids
    #[arg(value_name = "ID", required_unless_present = "all_dead", conflicts_with = "all_dead")]
    ids: Vec<JobId>,
    /// Every dead job of a queue
    #[arg(long, requires = "queue")]
    all_dead: bool,
    /// The queue of --all-dead
    #[arg(long, value_name = "NAME", requires = "all_dead")]
    queue: Option<QueueName>,
    /// Only this kind, with --all-dead
    #[arg(long, value_name = "KIND", requires = "all_dead")]
    kind: Option<Kind>,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

/// What became of one id.
#[derive(Debug, Serialize)]
pub(super) struct Acted {
    id: JobId,
    /// `cancelled`, `cancel_requested`, `available`, `wrong_state`, `key_held` or `not_found`.
    outcome: &'static str,
    /// The state that it was found in, where that is why nothing was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<JobState>,
    /// The job that holds its unique key, where that is why nothing was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_by: Option<JobId>,
    #[serde(skip)]
    done: bool,
    #[serde(skip)]
    said: String,
}

impl Acted {
    fn new(id: JobId, outcome: &'static str, done: bool, said: impl Into<String>) -> Self {
        Self { id, outcome, state: None, held_by: None, done, said: said.into() }
    }

    fn from_cancel(id: JobId, answer: Cancelled) -> Self {
        match answer {
            Cancelled::Now => Self::new(id, "cancelled", true, "cancelled"),
            Cancelled::Requested => Self::new(id, "cancel_requested", true, "runs; its worker was asked to stop"),
            Cancelled::Ended(state) => {
                let said = format!("not cancelled: it had ended before, {state}");
                Self { state: Some(state), ..Self::new(id, "wrong_state", false, said) }
            }
            Cancelled::NotFound => Self::not_found(id),
        }
    }

    pub(super) fn from_retry(id: JobId, answer: Redriven) -> Self {
        match answer {
            Redriven::Now => Self::new(id, "available", true, "available again"),
            Redriven::WrongState(state) => {
                let said = format!("not retried: it is {state}; only dead, cancelled and expired jobs can be");
                Self { state: Some(state), ..Self::new(id, "wrong_state", false, said) }
            }
            Redriven::KeyHeld(other) => {
                let said = format!("not retried: job {other} holds its unique key");
                Self { held_by: Some(other), ..Self::new(id, "key_held", false, said) }
            }
            Redriven::NotFound => Self::not_found(id),
        }
    }

    fn not_found(id: JobId) -> Self {
        Self::new(id, "not_found", false, "no such job; those that ended are kept for a while only")
    }

    pub(super) fn is_done(&self) -> bool {
        self.done
    }
}

/// Cancels.
pub async fn cancel(broker: &dyn Broker, args: &CancelArgs) -> anyhow::Result<ExitCode> {
    let mut acted = Vec::with_capacity(args.ids.len());
    for id in &args.ids {
        acted.push(Acted::from_cancel(*id, broker.cancel(*id).await?));
    }
    tell(acted, args.json)
}

/// Retries.
pub async fn retry(config: &Config, broker: &Arc<dyn Broker>, args: &RetryArgs) -> anyhow::Result<ExitCode> {
    if let Some(queue) = &args.queue {
        return bulk::retry_dead(config, broker, queue, args.kind.as_ref(), args.json).await;
    }
    let mut acted = Vec::with_capacity(args.ids.len());
    for id in &args.ids {
        acted.push(Acted::from_retry(*id, broker.redrive(*id).await?));
    }
    tell(acted, args.json)
}

fn tell(acted: Vec<Acted>, json: bool) -> anyhow::Result<ExitCode> {
    let all_done = acted.iter().all(Acted::is_done);
    if json {
        print_json(&List::whole(acted))?;
    } else {
        print(&lines(&acted))?;
    }
    Ok(if all_done { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// One line an id.
pub(super) fn lines(acted: &[Acted]) -> String {
    let mut table = Table::new([Column::left(""), Column::left("")]);
    for one in acted {
        let colour = if one.done { Colour::Green } else { Colour::Yellow };
        table.row([one.id.to_string().into(), Cell::new(one.said.as_str(), colour)]);
    }
    // Sentences need no heading.
    table.render(None, Style::of_stdout()).lines().skip(1).map(|line| format!("{line}\n")).collect()
}
