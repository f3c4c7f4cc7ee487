//! `postrider delivery resend`, `cancel` and `resolve`: an operator's hands on single mails.
//!
//! Each id stands for itself: one that cannot be acted on does not keep the others from it. If there was one, the exit
//! code is 1.

use std::process::ExitCode;
use std::sync::Arc;

use config::Config;
use jiff::Timestamp;
use job::{Clock, IdSource, Job, SystemClock};
use serde::Serialize;
use store::{By, DeliveryState, Moved, Store};
use uuid::Uuid;
use worker::jobs::email_send::EmailSend;

use super::id;
use crate::commands::reach::queue_or_new;
use crate::output::{Cell, Colour, Column, List, Style, Table, hint, print, print_json};

/// Whose hands the history names.
const ACTOR: &str = "the command line";

/// Which mails to send again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider delivery resend 01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77
  postrider delivery list --state held --json | jq -r '.items[].id' | xargs postrider delivery resend")]
pub struct IdsArgs {
    /// The deliveries' ids
    #[arg(value_name = "ID", required = true, value_parser = id)]
    ids: Vec<Uuid>,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

/// Which mails to call off.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider delivery cancel 01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77")]
pub struct CancelArgs {
    /// The deliveries' ids
    #[arg(value_name = "ID", required = true, value_parser = id)]
    ids: Vec<Uuid>,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

/// Which mails, and what became of them.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("outcome").required(true).args(["sent", "failed"]), after_help = "Examples:
  postrider delivery resolve --sent 01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77
  postrider delivery resolve --failed 01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77")]
pub struct ResolveArgs {
    /// The deliveries' ids
    #[arg(value_name = "ID", required = true, value_parser = id)]
    ids: Vec<Uuid>,
    /// They arrived
    #[arg(long)]
    sent: bool,
    /// They did not arrive, and are not to be sent again
    #[arg(long)]
    failed: bool,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

/// What became of one id.
#[derive(Debug, Serialize)]
struct Acted {
    id: Uuid,
    /// `queued`, `cancelled`, `sent`, `failed`, `wrong_state`, `gone` or `not_found`.
    outcome: String,
    /// The state that it was found in, where that is why nothing was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<DeliveryState>,
    #[serde(skip)]
    said: String,
    #[serde(skip)]
    done: bool,
}

impl Acted {
    fn new(id: Uuid, moved: &Moved, done: &str) -> Self {
        let (outcome, state, said) = match moved {
            Moved::Done(row) => (row.state.to_string(), None, done.to_owned()),
            Moved::Refused(state) => ("wrong_state".to_owned(), Some(*state), format!("nothing done: it is {state}")),
            Moved::Gone(gone) => ("gone".to_owned(), None, format!("nothing done: {}", gone.why())),
            Moved::Missing => ("not_found".to_owned(), None, "there is no such delivery".to_owned()),
        };
        Self { id, outcome, state, said, done: matches!(moved, Moved::Done(_)) }
    }
}

/// Sends again: the row first, then its job. A queue that is away is no loss: a worker's sweep finds the row.
pub async fn resend(config: &Config, store: &Store, args: &IdsArgs) -> anyhow::Result<ExitCode> {
    let (ids, now) = source();
    let (mut acted, mut rows) = (Vec::new(), Vec::new());
    for id in &args.ids {
        let job_id = ids.next(&EmailSend::queue()).uuid();
        let moved = store.release_delivery(*id, job_id, By::person(job_id, ACTOR), now).await?;
        acted.push(Acted::new(*id, &moved, "on its way again"));
        if let Moved::Done(row) = moved {
            rows.push(row);
        }
    }
    if !rows.is_empty() {
        let jobs: Vec<queue::Enqueue> = rows.iter().map(|row| worker::intents::delivery(row, now).into()).collect();
        let enqueued = match queue_or_new(config).await {
            Ok(queue) => queue.enqueue(&jobs).await.map(drop).map_err(Into::into),
            Err(e) => Err(e),
        };
        if let Err(e) = enqueued {
            hint(&format!("the queue is away ({e:#}): a worker will find them within a minute of its return"));
        }
    }
    tell(acted, args.json)
}

/// Calls off.
pub async fn cancel(store: &Store, args: &CancelArgs) -> anyhow::Result<ExitCode> {
    let (ids, now) = source();
    let mut acted = Vec::new();
    for id in &args.ids {
        let note = ids.next(&EmailSend::queue()).uuid();
        acted.push(Acted::new(*id, &store.cancel_delivery(*id, By::person(note, ACTOR), now).await?, "called off"));
    }
    tell(acted, args.json)
}

/// Notes what became of them.
pub async fn resolve(store: &Store, args: &ResolveArgs) -> anyhow::Result<ExitCode> {
    let (ids, now) = source();
    let said = if args.sent { "noted: it arrived" } else { "noted: it did not arrive" };
    let mut acted = Vec::new();
    for id in &args.ids {
        let note = ids.next(&EmailSend::queue()).uuid();
        let moved = store.resolve_delivery(*id, args.sent, By::person(note, ACTOR), now).await?;
        acted.push(Acted::new(*id, &moved, said));
    }
    tell(acted, args.json)
}

fn source() -> (IdSource, Timestamp) {
    (IdSource::new(Arc::new(SystemClock)), SystemClock.now())
}

fn tell(acted: Vec<Acted>, json: bool) -> anyhow::Result<ExitCode> {
    let all_done = acted.iter().all(|one| one.done);
    if json {
        print_json(&List::whole(acted))?;
    } else {
        let mut table = Table::new([Column::left(""), Column::left("")]);
        for one in &acted {
            let colour = if one.done { Colour::Green } else { Colour::Yellow };
            table.row([one.id.to_string().into(), Cell::new(one.said.as_str(), colour)]);
        }
        // Sentences need no heading.
        let lines = table.render(None, Style::of_stdout());
        print(&lines.lines().skip(1).map(|line| format!("{line}\n")).collect::<String>())?;
    }
    Ok(if all_done { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
