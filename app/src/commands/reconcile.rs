//! `postrider reconcile`: holds what must have been mailed against the ledger, and makes good what is missing.
//!
//! The same as the job kind `reconcile`, with the report in front of a person. Exit code 1 says that something is missing
//! and was left so: of a dry run, or an event that failed for good.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::anyhow;
use job::Unfinished;
use worker::bookings::reconcile::{self, Incidents, Report, Tally};

use super::load;
use super::reach::{at_store, queue, store};
use crate::cli::Globals;
use crate::output::{Cell, Colour, Column, Table, print, print_json, print_table};
use crate::wire::Parts;

/// What to do, and how to tell it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider reconcile                       make good what is missing, and say how much
  postrider reconcile --report              with everything that was looked at
  postrider reconcile --dry-run --json      only look; exit code 1 if something is missing")]
pub struct Args {
    /// Show all that was looked at, by state.
    #[arg(long)]
    report: bool,
    /// Only look; change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Answer with JSON, the whole report.
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub async fn run(globals: &Globals, args: &Args) -> anyhow::Result<ExitCode> {
    let config = load(globals)?;
    // What is not there is named before anything is built, or made, for it.
    store(&config).await.map_err(|e| at_store(e, &config))?.close().await;
    drop(queue(&config).await?);
    let context = Parts::build(config).await?.context()?;
    let report = reconcile::run(&context, args.dry_run).await.map_err(why)?;
    if args.json {
        print_json(&report)?;
    } else {
        if args.report {
            print_table(&table(&report))?;
            print("\n")?;
        }
        print(&summary(&report))?;
    }
    let left = !report.failed.is_empty() || (args.dry_run && !report.is_whole());
    Ok(if left { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// What a job would say, to a person.
pub(super) fn why(unfinished: Unfinished) -> anyhow::Error {
    match unfinished {
        Unfinished::Snooze { reason: said, .. }
        | Unfinished::Retry { error: said }
        | Unfinished::RetryAfter { error: said, .. }
        | Unfinished::Fail { error: said } => anyhow!(said),
        Unfinished::Cancelled | Unfinished::Expired => anyhow!("it was called off"),
    }
}

/// Everything that was looked at: what, how much, in which state.
fn table(report: &Report) -> Table {
    let mut table =
        Table::new([Column::left("WHAT"), Column::right("EXPECTED"), Column::right("THERE"), Column::left("STATES")]);
    let events: u64 = report.events.values().sum();
    table.row(["booking events".into(), events.to_string().into(), events.to_string().into(), states(&report.events)]);
    for (what, tally) in [("mails of events", &report.mails), ("reminders", &report.reminders)] {
        table.row([what.into(), tally.expected.to_string().into(), there(tally), states(&tally.by_state)]);
    }
    let Incidents { open, told, muted, due, untold, .. } = &report.incidents;
    let by_state = [("told", told), ("muted", muted), ("about to be told", due), ("told to nobody", untold)];
    let by_state = by_state.into_iter().filter(|(_, n)| **n > 0).map(|(state, n)| (state.to_owned(), *n)).collect();
    let colour = if *untold == 0 { Colour::Green } else { Colour::Red };
    let there = Cell::new((open - untold).to_string(), colour);
    table.row(["open incidents".into(), open.to_string().into(), there, states(&by_state)]);
    table
}

fn there(tally: &Tally) -> Cell {
    let whole = tally.missing == 0;
    Cell::new(tally.present.to_string(), if whole { Colour::Green } else { Colour::Red })
}

fn states(by_state: &BTreeMap<String, u64>) -> Cell {
    by_state.iter().map(|(state, count)| format!("{state} {count}")).collect::<Vec<_>>().join(", ").into()
}

fn summary(report: &Report) -> String {
    let mut lines = vec![format!("since {}:", report.since)];
    let missing: Vec<&String> = [&report.mails, &report.reminders].iter().flat_map(|t| &t.missing_keys).collect();
    let count = report.mails.missing + report.reminders.missing;
    match (count, report.dry_run) {
        (0, _) => lines.push("every mail that must be there is in the ledger, once".to_owned()),
        (count, true) => {
            lines.push(format!("{count} mails are missing; without --dry-run they are written and enqueued"))
        }
        (count, false) => lines.push(format!("{count} mails were missing and are on their way now")),
    }
    lines.extend(missing.iter().map(|key| format!("  {key}")));
    match (report.unapplied, report.dry_run) {
        (0, _) => {}
        (events, true) => lines.push(format!("{events} events were accepted and nobody has applied them")),
        (events, false) => lines.push(format!("{events} events that nobody had applied are applied now")),
    }
    lines.extend(report.unapplied_events.iter().map(|event| format!("  {event}")));
    match (report.incidents.untold, report.dry_run) {
        (0, _) => {}
        (untold, true) => lines.push(format!("{untold} open incidents would be told to nobody")),
        (untold, false) => lines.push(format!("{untold} open incidents were told to nobody; their groups are called")),
    }
    lines.extend(report.incidents.untold_ids.iter().map(|id| format!("  {id}")));
    if report.swept > 0 {
        lines.push(format!("{} jobs that the queue had lost are enqueued again", report.swept));
    }
    if report.rearmed > 0 {
        lines.push(format!("{} bookings are looked at anew for their reminders", report.rearmed));
    }
    if report.reminders.missed > 0 {
        lines.push(format!("{} reminders were missed: nobody scanned while they were due", report.reminders.missed));
    }
    if !report.failed.is_empty() {
        lines.push("these events failed for good; report them again, or retry their jobs:".to_owned());
        lines.extend(report.failed.iter().map(|event| format!("  {event}")));
    }
    lines.join("\n") + "\n"
}
