//! `postrider enqueue`: puts one job into its queue, checked as the API checks it.
//!
//! 1. The flags are checked where they are read; an error names its flag.
//! 2. The kind is looked up in the registry, and it checks its own arguments. Who can run this command may also enqueue
//!    internal kinds.
//! 3. Due times count from the queue's own clock, so that a wrong clock on this machine does no harm.

mod flags;

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use api::enqueue::Accepted;
use config::Config;
use jiff::Timestamp;
use job::clock::{after, truncate};
use job::{CallerKey, Envelope, IdSource, JobState, Kind, Priority, QueueName, SystemClock, UniqueKey};
use queue::{Enqueue, Enqueued};
use serde_json::value::RawValue;
use worker::{KindEntry, Registry};

use super::reach::{at_queue, must_be_known, queue_or_new};
use super::{Usage, load};
use crate::cli::Globals;
use crate::output::{print, print_json, relative};
use crate::wire;

/// The largest arguments of one job, in bytes: as in the API.
const LARGEST_ARGS: usize = 1 << 20;

/// What to enqueue.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider enqueue debug.sleep '{\"ms\": 500}' --data ./postrider-data
  postrider enqueue booking.confirmed --args-file args.json --queue bookings --priority 0
  jq -c .args job.json | postrider enqueue email.send - --delay 5m --unique-key mail:42")]
pub struct Args {
    /// What is to be done: the name of a kind, such as booking.confirmed
    #[arg(value_name = "KIND")]
    kind: Kind,
    /// The kind's arguments, a JSON object; `-` reads them from standard input; `{}` if left out
    #[arg(value_name = "ARGS_JSON")]
    args: Option<String>,
    /// Reads the arguments from a file
    #[arg(long, value_name = "FILE", conflicts_with = "args")]
    args_file: Option<PathBuf>,
    /// Where it waits; the kind's own queue unless given
    #[arg(long, value_name = "NAME")]
    queue: Option<QueueName>,
    /// From 0, the most urgent, to 9
    #[arg(long, value_name = "0-9", default_value = "5", value_parser = flags::priority)]
    priority: Priority,
    /// Due after this time: 30s, 5m, 24h, 7d
    #[arg(long, value_name = "TIME", conflicts_with = "run_at", value_parser = flags::long)]
    delay: Option<Duration>,
    /// Due at this instant: 2026-11-24T09:00:00Z; one in the past is due now
    #[arg(long, value_name = "RFC3339", value_parser = flags::instant)]
    run_at: Option<Timestamp>,
    /// Attempts before it is dead; the kind's own number unless given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    max_attempts: Option<u16>,
    /// How long one attempt may take: 500ms, 30s, 5m; the kind's own time unless given
    #[arg(long, value_name = "TIME", value_parser = flags::timeout)]
    timeout: Option<Duration>,
    /// After this instant it is not started any more
    #[arg(long, value_name = "RFC3339", value_parser = flags::instant)]
    expires_at: Option<Timestamp>,
    /// While a job of the queue holds this key, another one with it is a duplicate
    #[arg(long, value_name = "KEY")]
    unique_key: Option<CallerKey>,
    /// How long the key is held after the job's end: 10m, 24h
    #[arg(long, value_name = "TIME", requires = "unique_key", value_parser = flags::long)]
    unique_for: Option<Duration>,
    /// A word to find it by; may be given up to 16 times
    #[arg(long = "tag", value_name = "WORD", value_parser = flags::tag)]
    tags: Vec<String>,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub async fn run(globals: &Globals, args: &Args) -> anyhow::Result<ExitCode> {
    let config = load(globals)?;
    let registry = Registry::standard(config.debug.kinds);
    let entry = find(&registry, &args.kind)?;
    let given = read_args(args)?;
    check(entry, &given)?;
    flags::distinct(&args.tags)?;
    let queue = args.queue.clone().unwrap_or_else(|| entry.queue.clone());
    must_be_known("--queue", &queue, &wire::queue_names(&config)?.into_iter().collect())?;
    let accepted = enqueue(&config, args, entry, given, queue).await.map_err(|e| at_queue(e, &config))?;
    if args.json {
        print_json(&accepted)?;
    } else {
        print(&told(&accepted, args))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn find<'a>(registry: &'a Registry, kind: &Kind) -> Result<&'a KindEntry, Usage> {
    registry.find(kind).ok_or_else(|| {
        let known = registry.entries().iter().map(|entry| entry.kind.as_str()).collect::<Vec<_>>().join(", ");
        let debug = if kind.as_str().starts_with("debug.") {
            "\nthe debug kinds exist with debug.kinds = true, and with --data DIR, the folder of `postrider dev`"
        } else {
            ""
        };
        Usage(format!("KIND: there is no kind {kind}; there are {known}{debug}"))
    })
}

/// The arguments as JSON, wherever they come from.
fn read_args(args: &Args) -> anyhow::Result<Box<RawValue>> {
    let (from, text) = match (&args.args_file, args.args.as_deref()) {
        (Some(file), _) => {
            let from = format!("--args-file {}", file.display());
            let text = std::fs::read_to_string(file).map_err(|e| Usage(format!("{from}: {e}")))?;
            (from, text)
        }
        (None, Some("-")) => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("standard input")?;
            ("standard input".to_owned(), text)
        }
        (None, Some(text)) => ("ARGS_JSON".to_owned(), text.to_owned()),
        (None, None) => ("ARGS_JSON".to_owned(), "{}".to_owned()),
    };
    let value: Box<RawValue> = serde_json::from_str(&text).map_err(|e| Usage(format!("{from}: not JSON: {e}")))?;
    if !value.get().starts_with('{') {
        return Err(Usage(format!("{from}: a JSON object is expected, such as {{\"key\": \"value\"}}")).into());
    }
    if value.get().len() > LARGEST_ARGS {
        return Err(Usage(format!("{from}: larger than {LARGEST_ARGS} bytes")).into());
    }
    Ok(value)
}

/// Asks the kind whether it can read its arguments; names every field that is wrong.
fn check(entry: &KindEntry, args: &RawValue) -> Result<(), Usage> {
    let wrong = match entry.check(args) {
        Ok(()) => return Ok(()),
        Err(wrong) => wrong,
    };
    let lines: Vec<String> = wrong
        .iter()
        .map(|e| {
            // The place in the text would be that of the arguments alone.
            let message = e.message.split(" at line ").next().unwrap_or_default();
            let dot = if e.field.is_empty() || e.field.starts_with('[') { "" } else { "." };
            format!("args{dot}{}: {message}", e.field)
        })
        .collect();
    Err(Usage(format!("{} does not take these arguments\n  {}", entry.kind, lines.join("\n  "))))
}

async fn enqueue(
    config: &Config,
    args: &Args,
    entry: &KindEntry,
    given: Box<RawValue>,
    queue: QueueName,
) -> anyhow::Result<Accepted> {
    let broker = queue_or_new(config).await?;
    let now = broker.now().await?;
    let id = IdSource::new(Arc::new(SystemClock)).next(&queue);
    let max_attempts = args.max_attempts.map_or(entry.max_attempts, u32::from);
    let mut envelope = Envelope::raw(id, entry.kind.clone(), queue, given, now)
        .with_limits(max_attempts, args.timeout.unwrap_or(entry.timeout));
    envelope.priority = args.priority;
    envelope.run_at = match (args.run_at, args.delay) {
        (Some(at), _) => truncate(at).max(now),
        (None, Some(delay)) => after(now, delay),
        (None, None) => now,
    };
    envelope.expires_at = args.expires_at.map(truncate);
    envelope.unique_key = args.unique_key.clone().map(UniqueKey::from);
    envelope.unique_for = args.unique_for.unwrap_or_default();
    envelope.tags.clone_from(&args.tags);

    let (kind, queue, run_at) = (envelope.kind.to_string(), envelope.queue.to_string(), envelope.run_at);
    let outcome = broker.enqueue(&[Enqueue::from(envelope)]).await?.pop();
    match outcome.context("the queue gave no answer for the job")? {
        Enqueued::New => {
            let state = if run_at > now { JobState::Scheduled } else { JobState::Available };
            Ok(Accepted { id, kind, queue, state: Some(state), run_at: Some(run_at), duplicate: false })
        }
        Enqueued::Duplicate(id) => {
            let first = broker.get(id).await?;
            let state = first.as_ref().map(|record| record.state);
            let (kind, run_at) = match first.map(|record| record.envelope) {
                Some(Ok(first)) => (first.kind.to_string(), Some(first.run_at)),
                _ => (kind, None),
            };
            Ok(Accepted { id, kind, queue, state, run_at, duplicate: true })
        }
    }
}

/// One line; the id stands first, so that it is easily cut off.
fn told(accepted: &Accepted, args: &Args) -> String {
    let Accepted { id, kind, queue, state, run_at, duplicate } = accepted;
    let word = state.map_or("no longer kept", JobState::as_str);
    if *duplicate {
        let key = args.unique_key.as_ref().map_or_else(String::new, |key| format!(" {key}"));
        return format!("{id}  duplicate: nothing was enqueued, this {kind} holds the unique key{key} ({word})\n");
    }
    let when = match run_at {
        Some(at) if *state == Some(JobState::Scheduled) => {
            use job::Clock as _;
            format!(", due {} ({at})", relative(*at, SystemClock.now()))
        }
        _ => String::new(),
    };
    format!("{id}  {word}  {kind} in queue {queue}{when}\n")
}
