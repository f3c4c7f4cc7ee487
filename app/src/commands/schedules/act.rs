//! An operator's hands on a schedule.

use std::sync::Arc;

use api::schedules::{Asked, BackfillView, CalledOff, ScheduleView};
use config::Config;
use jiff::Timestamp;
use job::{Clock, IdSource, SystemClock};
use store::{Changed, Store};
use worker::schedule::{AskError, Asking, check_reason};
use worker::{Registry, ticks};

use super::look::because;
use super::{no_such, now};
use crate::commands::Usage;
use crate::commands::reach::{queue_or_new, store};
use crate::output::{print, print_json};
use crate::wire;

/// Which one.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider schedules run retention
  postrider schedules resume retention")]
pub struct Name {
    /// The schedule's name
    #[arg(value_name = "NAME")]
    name: String,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

/// Which one, and why.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider schedules pause retention
  postrider schedules pause retention --reason 'the archive is being moved'")]
pub struct PauseArgs {
    /// The schedule's name
    #[arg(value_name = "NAME")]
    name: String,
    /// For whoever finds it paused
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

/// Which one, and for which span.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider schedules backfill nightly_export --from 2026-11-20T00:00:00Z --until 2026-11-24T00:00:00Z")]
pub struct BackfillArgs {
    /// The schedule's name
    #[arg(value_name = "NAME")]
    name: String,
    /// From this instant on
    #[arg(long, value_name = "RFC3339")]
    from: Timestamp,
    /// Before this instant, not in the future
    #[arg(long, value_name = "RFC3339")]
    until: Timestamp,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

pub async fn run(config: &Config, args: &Name) -> anyhow::Result<()> {
    let tick = ask(config, async |asking| asking.run(&args.name).await).await?;
    let asked = Asked::from(tick.ok_or_else(|| no_such(&args.name))?);
    match args.json {
        true => print_json(&asked),
        false => print(&format!("{}  {} runs now\n", asked.job_id, asked.schedule)),
    }
}

pub async fn backfill(config: &Config, args: &BackfillArgs) -> anyhow::Result<()> {
    let done = ask(config, async |asking| asking.backfill(&args.name, args.from, args.until).await).await?;
    let done = done.ok_or_else(|| no_such(&args.name))?;
    let view = BackfillView { ticks: done.ticks.into_iter().map(Asked::from).collect(), present: done.present };
    match args.json {
        true => print_json(&view),
        false => {
            let (ticks, present) = (view.ticks.len(), view.present);
            print(&format!("{}: {ticks} ticks written, {present} were there\n", args.name))
        }
    }
}

/// Opens what is needed to ask, and tells what is wrong with the question as a mistake of usage.
async fn ask<T>(config: &Config, question: impl AsyncFnOnce(&Asking<'_>) -> Result<T, AskError>) -> anyhow::Result<T> {
    let store = store(config).await?;
    let broker = queue_or_new(config).await?;
    let registry = Registry::standard(config.debug.kinds);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ids = IdSource::new(clock);
    let asking = Asking { store: &store, broker: &*broker, registry: &registry, ids: &ids, now: now() };
    match question(&asking).await {
        Ok(done) => Ok(done),
        Err(AskError::Span(field, why)) => Err(Usage(format!("--{field}: {why}")).into()),
        Err(AskError::Store(error)) => Err(error.into()),
        Err(error) => Err(error.into()),
    }
}

pub async fn pause(config: &Config, args: &PauseArgs) -> anyhow::Result<()> {
    let store = store(config).await?;
    let changed = store.pause_schedule(&args.name, args.reason.as_deref(), now()).await?;
    tell_operators(config, &store, &args.name, &changed).await?;
    told(&args.name, changed, args.json)
}

pub async fn resume(config: &Config, args: &Name) -> anyhow::Result<()> {
    let store = store(config).await?;
    let changed = store.resume_schedule(&args.name, now()).await?;
    tell_operators(config, &store, &args.name, &changed).await?;
    told(&args.name, changed, args.json)
}

pub async fn delete(config: &Config, args: &Name) -> anyhow::Result<()> {
    let store = store(config).await?;
    let changed = store.delete_schedule(&args.name, now()).await?;
    tell_operators(config, &store, &args.name, &changed).await?;
    match changed {
        Changed::Done { schedule, .. } if args.json => print_json(&ScheduleView::new(*schedule, now())),
        Changed::Done { .. } => print(&format!("{} is deleted; what it has fired is kept for a while\n", args.name)),
        Changed::OfConfig => {
            let name = &args.name;
            let what =
                format!("NAME: the configuration defines {name}: take [schedules.{name}] out there, or disable it");
            Err(Usage(what).into())
        }
        Changed::Missing | Changed::Moved => Err(no_such(&args.name)),
    }
}

pub async fn cancel_waiting(config: &Config, args: &Name) -> anyhow::Result<()> {
    let cancelled = store(config).await?.cancel_waiting_ticks(&args.name, now()).await?;
    let cancelled = cancelled.ok_or_else(|| no_such(&args.name))?;
    let schedule = args.name.clone();
    match args.json {
        true => print_json(&CalledOff { schedule, cancelled }),
        false => print(&format!("{schedule}: {cancelled} ticks that waited are called off\n")),
    }
}

/// The operators were told of a pause by failures: they hear that it is over.
async fn tell_operators(config: &Config, store: &Store, name: &str, changed: &Changed) -> anyhow::Result<()> {
    if let Changed::Done { ended: Some(ended), .. } = changed {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let notices = wire::notices(config, store, &queue_or_new(config).await?, &clock)?;
        ticks::tell_resumed(&notices, name, Some(ended)).await;
    }
    Ok(())
}

fn reason(text: &str) -> Result<String, String> {
    check_reason(text).map(|()| text.to_owned()).map_err(|e| e.message)
}

fn told(name: &str, changed: Changed, json: bool) -> anyhow::Result<()> {
    let Changed::Done { schedule, .. } = changed else { return Err(no_such(name)) };
    let view = ScheduleView::new(*schedule, now());
    if json {
        return print_json(&view);
    }
    match (&view.next, view.paused) {
        (_, true) => print(&format!("{name} is paused{}\n", because(&view))),
        (Some(next), false) => print(&format!("{name} fires next at {}\n", next.local)),
        (None, false) => print(&format!("{name} does not fire any more\n")),
    }
}
