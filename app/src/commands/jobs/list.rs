//! `postrider jobs list`.

use std::process::ExitCode;

use anyhow::anyhow;
use api::jobs::JobSummary;
use config::Config;
use jiff::Timestamp;
use job::{Clock, JobState, Kind, QueueName, SystemClock};
use queue::{Broker, BrokerError, Cursor, Filter, JobRecord, Page};

use crate::commands::Usage;
use crate::commands::reach::{known_queues, must_be_known};
use crate::output::{
    Cell, Colour, Column, List, Table, ago, hint, one_line, print_json, print_table, relative, state_colour,
};

/// Which jobs.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider jobs list                                  what there is, by state
  postrider jobs list --state dead --queue emails
  postrider jobs list --kind email.send --limit 500 --json | jq -r '.items[].id'")]
pub struct Args {
    /// Only in this state: scheduled, available, running, completed, dead, cancelled or expired
    #[arg(long, value_name = "STATE")]
    state: Option<JobState>,
    /// Only of this queue
    #[arg(long, value_name = "NAME")]
    queue: Option<QueueName>,
    /// Only of this kind
    #[arg(long, value_name = "KIND")]
    kind: Option<Kind>,
    /// How many, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    limit: u32,
    /// Where to go on: what the page before said
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// Answer with JSON, in the shape of GET /v1/jobs
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub async fn run(config: &Config, broker: &dyn Broker, args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(queue) = &args.queue {
        must_be_known("--queue", queue, &known_queues(config, broker).await?)?;
    }
    let page = page(broker, args).await?;
    if args.json {
        let items = page.items.iter().map(JobSummary::from).collect();
        print_json(&List { items, next_cursor: page.next.map(|cursor| cursor.0) })?;
        return Ok(ExitCode::SUCCESS);
    }
    if page.items.is_empty() {
        hint("no such jobs; those that ended are kept for a while only ([queue.retention])");
        return Ok(ExitCode::SUCCESS);
    }
    print_table(&table(&page.items, SystemClock.now()))?;
    if let Some(cursor) = page.next {
        hint(&format!("\nthere may be more: the same with --cursor {cursor}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// One call looks at a bounded number of jobs; here it is asked on until the page is full or the list ends.
async fn page(broker: &dyn Broker, args: &Args) -> anyhow::Result<Page> {
    let filter = Filter { queue: args.queue.clone(), state: args.state, kind: args.kind.clone() };
    let limit = args.limit as usize;
    let mut page = Page { items: Vec::new(), next: args.cursor.clone().map(Cursor) };
    loop {
        let more = broker.list(&filter, limit - page.items.len(), page.next).await.map_err(|e| match e {
            BrokerError::Invalid(_) if args.cursor.is_some() => {
                anyhow!(Usage("--cursor: not a cursor that this list gave out".to_owned()))
            }
            other => other.into(),
        })?;
        page.items.extend(more.items);
        page.next = more.next;
        if page.next.is_none() || page.items.len() >= limit {
            return Ok(page);
        }
    }
}

fn table(jobs: &[JobRecord], now: Timestamp) -> Table {
    let mut table = Table::new([
        Column::left("ID"),
        Column::left("KIND"),
        Column::left("QUEUE"),
        Column::left("STATE"),
        Column::right("ATTEMPT"),
        Column::left("WHEN"),
        Column::left("NOTE"),
    ]);
    for job in jobs {
        let read = job.envelope.as_ref();
        table.row([
            job.id.to_string().into(),
            read.map_or(Cell::new("(unreadable)", Colour::Red), |e| e.kind.as_str().into()),
            job.queue.as_str().into(),
            Cell::new(job.state.as_str(), state_colour(job.state)),
            read.map_or_else(|_| job.attempt.to_string(), |e| format!("{}/{}", job.attempt, e.max_attempts)).into(),
            when(job, now).into(),
            Cell::new(one_line(&note(job)), Colour::Dim),
        ]);
    }
    table
}

/// The instant that matters most in its state.
pub fn when(job: &JobRecord, now: Timestamp) -> String {
    let said = |word: &str, at: Option<Timestamp>| at.map(|at| format!("{word} {}", relative(at, now)));
    match job.state {
        JobState::Scheduled if job.attempt > 0 => said("again", job.due_at),
        JobState::Scheduled | JobState::Available => said("due", job.due_at),
        JobState::Running => job.started_at.map(|at| format!("begun {}", ago(at, now))),
        _ => job.finished_at.map(|at| format!("ended {}", ago(at, now))),
    }
    .unwrap_or_default()
}

/// What an operator looks for: why it failed, why it waits, that it is to stop.
fn note(job: &JobRecord) -> String {
    let mut notes = Vec::new();
    if job.cancel_requested {
        notes.push("asked to stop".to_owned());
    }
    if job.losses > 0 {
        notes.push(format!("its worker was lost {}", times(job.losses)));
    }
    if let Err(e) = &job.envelope {
        notes.push(e.to_string());
    }
    if job.state != JobState::Completed {
        notes.extend(job.snoozed.iter().map(|why| format!("put off: {why}")));
        notes.extend(job.errors.last().map(|past| past.error.clone()));
    }
    notes.join("; ")
}

/// `once`, `2 times`.
pub fn times(n: u32) -> String {
    if n == 1 { "once".to_owned() } else { format!("{n} times") }
}
