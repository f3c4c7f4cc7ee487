//! `postrider jobs show`.

use std::process::ExitCode;

use anyhow::anyhow;
use api::jobs::JobView;
use config::Config;
use jiff::Timestamp;
use job::{Clock, JobId, SystemClock};
use queue::{Broker, JobRecord};
use serde_json::Value;
use worker::Registry;

use super::list::{times, when};
use crate::output::{Colour, Style, ago, fields, one_line, print, print_json, relative, state_colour};

/// Which job.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider jobs show 01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77
  postrider jobs show 01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77 --json | jq .args")]
pub struct Args {
    /// The job's id
    #[arg(value_name = "ID")]
    id: JobId,
    /// Answer with JSON, in the shape of GET /v1/jobs/{id}
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub async fn run(config: &Config, broker: &dyn Broker, args: &Args) -> anyhow::Result<ExitCode> {
    let job = broker.get(args.id).await?.ok_or_else(|| {
        anyhow!("there is no job {}; those that ended are kept for a while only ([queue.retention])", args.id)
    })?;
    let registry = Registry::standard(config.debug.kinds);
    if args.json {
        print_json(&JobView::of(job, &registry))?;
    } else {
        print(&page(&job, &registry, SystemClock.now(), Style::of_stdout()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// All of it, for people: what is absent is left out.
fn page(job: &JobRecord, registry: &Registry, now: Timestamp, style: Style) -> String {
    let state = style.paint(state_colour(job.state), job.state.as_str());
    let mut said: Vec<(&str, String)> = vec![("job", job.id.to_string())];
    let instant = |at: Timestamp| {
        let said = if at > now { relative(at, now) } else { ago(at, now) };
        format!("{at}  ({said})")
    };
    let stop = if job.cancel_requested { ", asked to stop" } else { "" };
    let state = match when(job, now).as_str() {
        "" => format!("{state}{stop}"),
        when => format!("{state}{stop}, {when}"),
    };
    match &job.envelope {
        Ok(e) => {
            said.push(("kind", e.kind.to_string()));
            said.push(("queue", format!("{}, priority {}", job.queue, e.priority.get())));
            said.push(("state", state));
            said.push(("attempts", format!("{} of {}{}", job.attempt, e.max_attempts, losses(job))));
            said.push(("timeout", job::duration::format(e.timeout)));
            said.push(("made", instant(e.created_at)));
            if e.run_at != e.created_at {
                said.push(("first due", instant(e.run_at)));
            }
        }
        Err(why) => {
            said.push(("queue", job.queue.to_string()));
            said.push(("state", state));
            said.push(("attempts", format!("{}{}", job.attempt, losses(job))));
            said.push(("unreadable", style.paint(Colour::Red, &one_line(&why.to_string()))));
        }
    }
    let optional = [("due", job.due_at), ("begun", job.started_at), ("ended", job.finished_at)];
    said.extend(optional.into_iter().filter_map(|(label, at)| at.map(|at| (label, instant(at)))));
    if let Ok(e) = &job.envelope {
        said.extend(e.expires_at.map(|at| ("expires", instant(at))));
        said.extend(e.unique_key.as_ref().map(|key| {
            let held = match e.unique_for.is_zero() {
                true => "until its end".to_owned(),
                false => format!("until {} after its end", job::duration::format(e.unique_for)),
            };
            ("unique key", format!("{}, {held}", key.shown()))
        }));
        if !e.tags.is_empty() {
            said.push(("tags", one_line(&e.tags.join(", "))));
        }
        said.extend(e.trace_parent.as_ref().map(|trace| ("trace", one_line(trace))));
        said.push(match registry.shows_args(&e.kind) {
            true => ("args", json(e.args.get())),
            false => ("args", style.paint(Colour::Dim, "not shown: they tell of people")),
        });
    }
    said.extend(job.snoozed.as_ref().map(|why| ("put off", one_line(why))));
    said.extend(job.result.as_ref().map(|result| ("result", json(result))));
    let mut text = fields(&said, style);
    if !job.errors.is_empty() {
        let heading = style.paint(Colour::Dim, "failed attempts, the latest last");
        text.push_str(&format!("\n{heading}\n"));
        for past in &job.errors {
            text.push_str(&format!("  {:>3}  {}  ({})\n", past.attempt, past.at, ago(past.at, now)));
            for line in past.error.lines() {
                text.push_str(&format!("       {}\n", one_line(line)));
            }
        }
    }
    text
}

fn losses(job: &JobRecord) -> String {
    match job.losses {
        0 => String::new(),
        n => format!("; its worker was lost {}", times(n)),
    }
}

/// JSON, indented if it is long. What is none, because it was cut, is shown as it is. JSON text has its control
/// characters escaped.
fn json(text: &str) -> String {
    if text.len() <= 80 {
        return one_line(text);
    }
    let indented = serde_json::from_str::<Value>(text).ok().and_then(|v| serde_json::to_string_pretty(&v).ok());
    indented.unwrap_or_else(|| one_line(text))
}
