//! `postrider queues`: how full they are, and stopping and starting them.

use std::collections::BTreeSet;
use std::process::ExitCode;

use api::queues::QueueView;
use config::Config;
use job::{JobState, QueueName};
use queue::{Broker, QueueStats};

use super::load;
use super::reach::{at_queue, known_queues, must_be_known, queue};
use crate::cli::Globals;
use crate::output::{Cell, Colour, Column, List, Table, print, print_json, print_table, short};
use crate::wire::queue_names;

/// What to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider queues list
  postrider queues pause emails      a relay is being moved; jobs can still be enqueued
  postrider queues resume emails")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Lists the queues with their counts and the age of the oldest job that is due
    List(ListArgs),
    /// Starts no further job of these queues; those that run go on, and jobs can still be enqueued
    Pause(Names),
    /// Starts the jobs of these queues again
    Resume(Names),
}

/// How to list.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider queues list
  postrider queues list --json | jq '.items[] | select(.paused) | .name'")]
struct ListArgs {
    /// Answer with JSON, in the shape of GET /v1/queues
    #[arg(long)]
    json: bool,
}

/// Which queues.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider queues pause emails bookings
  postrider queues resume emails bookings")]
struct Names {
    /// The queues' names
    #[arg(value_name = "NAME", required = true)]
    names: Vec<QueueName>,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub async fn run(globals: &Globals, args: &Args) -> anyhow::Result<ExitCode> {
    let config = load(globals)?;
    let broker = queue(&config).await.map_err(|e| at_queue(e, &config))?;
    let done = match &args.command {
        Command::List(args) => list(&config, &*broker, args).await,
        Command::Pause(names) => pause(&config, &*broker, names, true).await,
        Command::Resume(names) => pause(&config, &*broker, names, false).await,
    };
    done.map_err(|e| at_queue(e, &config)).map(|()| ExitCode::SUCCESS)
}

/// What the queue knows, and the configured queues that nothing was enqueued to yet; by name.
async fn all(config: &Config, broker: &dyn Broker) -> anyhow::Result<Vec<QueueStats>> {
    let mut all = broker.stats().await?;
    for queue in queue_names(config)? {
        if !all.iter().any(|stats| stats.queue == queue) {
            all.push(QueueStats { queue, counts: [0; 7], oldest: None, paused: false });
        }
    }
    all.sort_by(|a, b| a.queue.cmp(&b.queue));
    Ok(all)
}

async fn list(config: &Config, broker: &dyn Broker, args: &ListArgs) -> anyhow::Result<()> {
    let all = all(config, broker).await?;
    if args.json {
        return print_json(&List::whole(all.iter().map(QueueView::from)));
    }
    let configured: BTreeSet<QueueName> = queue_names(config)?.into_iter().collect();
    let counts = JobState::ALL.map(|state| Column::right(heading(state)));
    let mut columns = vec![Column::left("QUEUE")];
    columns.extend(counts);
    columns.extend([Column::right("OLDEST"), Column::left("NOTE")]);
    let mut table = Table::new(columns);
    for stats in &all {
        let mut row: Vec<Cell> = vec![stats.queue.as_str().into()];
        row.extend(JobState::ALL.map(|state| match stats.count(state) {
            0 => Cell::new("0", Colour::Dim),
            n if state == JobState::Dead => Cell::new(n.to_string(), Colour::Red),
            n => n.to_string().into(),
        }));
        row.push(stats.oldest.map_or(Cell::new("-", Colour::Dim), |age| short(age).into()));
        row.push(match (stats.paused, configured.contains(&stats.queue)) {
            (true, _) => Cell::new("paused", Colour::Yellow),
            (false, false) => {
                Cell::new(format!("no worker takes its jobs: there is no [queues.{}]", stats.queue), Colour::Yellow)
            }
            (false, true) => Cell::default(),
        });
        table.row(row);
    }
    print_table(&table)
}

fn heading(state: JobState) -> &'static str {
    match state {
        JobState::Scheduled => "SCHEDULED",
        JobState::Available => "AVAILABLE",
        JobState::Running => "RUNNING",
        JobState::Completed => "COMPLETED",
        JobState::Dead => "DEAD",
        JobState::Cancelled => "CANCELLED",
        JobState::Expired => "EXPIRED",
    }
}

async fn pause(config: &Config, broker: &dyn Broker, args: &Names, pause: bool) -> anyhow::Result<()> {
    // All names first: a mistake in the last one must not leave the others done.
    let known = known_queues(config, broker).await?;
    for name in &args.names {
        must_be_known("NAME", name, &known)?;
    }
    for name in &args.names {
        match pause {
            true => broker.pause(name).await?,
            false => broker.resume(name).await?,
        }
    }
    let mut now = all(config, broker).await?;
    now.retain(|stats| args.names.contains(&stats.queue));
    if args.json {
        return print_json(&List::whole(now.iter().map(QueueView::from)));
    }
    let lines: String = now
        .iter()
        .map(|stats| {
            let due = stats.count(JobState::Available);
            match stats.paused {
                true => format!(
                    "{} is paused; due and waiting: {due}, still running: {}\n",
                    stats.queue,
                    stats.count(JobState::Running)
                ),
                false => format!("{} goes on; due: {due}\n", stats.queue),
            }
        })
        .collect();
    print(&lines)
}
