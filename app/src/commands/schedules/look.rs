//! Looking at schedules.

use api::schedules::{FireView, ScheduleView, TickView};
use config::Config;
use cron::{Cron, Zone};
use jiff::Timestamp;
use store::{Store, TickState};
use worker::schedule::Timing;

use super::{no_such, now};
use crate::commands::Usage;
use crate::commands::reach::store;
use crate::output::{
    Cell, Colour, Column, List, Style, Table, ago, fields, one_line, print, print_json, print_table, relative,
};

/// Schedules in one page.
const PAGE: u32 = 500;
/// Ticks that `show` shows.
const SHOWN: u32 = 10;

/// How to list.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider schedules list
  postrider schedules list --json | jq -r '.items[] | select(.paused) | .name'")]
pub struct ListArgs {
    /// Answer with JSON, in the shape of GET /v1/schedules
    #[arg(long)]
    json: bool,
}

/// Which one.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider schedules show retention
  postrider schedules show retention --json")]
pub struct ShowArgs {
    /// The schedule's name
    #[arg(value_name = "NAME")]
    name: String,
    /// Answer with JSON: the schedule in the shape of GET /v1/schedules/NAME, with its last ticks in `ticks`
    #[arg(long)]
    json: bool,
}

/// Which one, or which expression.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider schedules next retention
  postrider schedules next retention --count 3 --after 2027-03-27T00:00:00Z
  postrider schedules next --cron '30 2 * * *' --zone Europe/Berlin")]
pub struct NextArgs {
    /// The schedule's name
    #[arg(value_name = "NAME", required_unless_present = "cron", conflicts_with = "cron")]
    name: Option<String>,
    /// An expression instead
    #[arg(long, value_name = "CRON", value_parser = Cron::parse)]
    cron: Option<Cron>,
    /// By the clocks of this zone; scheduler.timezone unless given
    #[arg(long, value_name = "ZONE", requires = "cron", value_parser = Zone::parse)]
    zone: Option<Zone>,
    /// How many instants
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=100))]
    count: u16,
    /// After this instant; now unless given
    #[arg(long, value_name = "RFC3339")]
    after: Option<Timestamp>,
    /// Answer with JSON, in the shape of GET /v1/schedules/NAME/next
    #[arg(long)]
    json: bool,
}

/// Every schedule that is stored.
async fn all(store: &Store) -> anyhow::Result<Vec<ScheduleView>> {
    let (mut views, mut after) = (Vec::new(), None);
    loop {
        let page = store.list_schedules(PAGE, after.as_deref()).await?;
        views.extend(page.items.into_iter().map(|schedule| ScheduleView::new(schedule, now())));
        after = page.next_cursor;
        if after.is_none() {
            return Ok(views);
        }
    }
}

pub async fn list(config: &Config, args: &ListArgs) -> anyhow::Result<()> {
    let views = all(&store(config).await?).await?;
    if args.json {
        return print_json(&List::whole(views));
    }
    if views.is_empty() {
        return print("no schedules yet: a scheduler brings those of the configuration when it starts\n");
    }
    let mut table = Table::new([
        Column::left("SCHEDULE"),
        Column::left("CRON"),
        Column::left("ZONE"),
        Column::left("KIND"),
        Column::left("NEXT"),
        Column::left("NOTE"),
    ]);
    for view in views {
        let next = match &view.next {
            Some(next) => relative(next.at, now()).into(),
            None => Cell::new("-", Colour::Dim),
        };
        let note = match (view.paused, view.failures) {
            (true, _) => Cell::new(format!("paused{}", because(&view)), Colour::Yellow),
            (false, 0) => Cell::default(),
            (false, 1) => Cell::new("failed the last time", Colour::Yellow),
            (false, n) => Cell::new(format!("failed {n} times in a row"), Colour::Red),
        };
        let row: [Cell; 6] = [view.name.into(), view.cron.into(), view.timezone.into(), view.kind.into(), next, note];
        table.row(row);
    }
    print_table(&table)
}

/// Why it is paused, to be put behind the word.
pub fn because(view: &ScheduleView) -> String {
    view.pause_reason.as_ref().map(|reason| format!(": {}", one_line(reason))).unwrap_or_default()
}

/// A schedule with its last ticks.
#[derive(serde::Serialize)]
struct Shown {
    #[serde(flatten)]
    schedule: ScheduleView,
    ticks: Vec<TickView>,
}

pub async fn show(config: &Config, args: &ShowArgs) -> anyhow::Result<()> {
    let store = store(config).await?;
    let found = store.get_schedule(&args.name).await?.ok_or_else(|| no_such(&args.name))?;
    let ticks = store.list_ticks(&args.name, None, SHOWN, None).await?.items.into_iter().map(TickView::from).collect();
    let shown = Shown { schedule: ScheduleView::new(found, now()), ticks };
    if args.json {
        return print_json(&shown);
    }
    let view = &shown.schedule;
    let next =
        view.next.as_ref().map_or("-".to_owned(), |next| format!("{} ({})", next.local, relative(next.at, now())));
    let mut pairs = vec![
        ("schedule", view.name.clone()),
        ("defined by", view.origin.to_string()),
        ("cron", format!("{} ({})", view.cron, view.describes.trim_end_matches('.'))),
        ("zone", view.timezone.clone()),
        ("job", format!("{} {} in {}", view.kind, view.args, view.queue)),
        ("catch-up", format!("{}, up to {} late", view.catch_up, view.max_lateness)),
        ("overlap", view.overlap.to_string()),
        ("next", next),
    ];
    if view.jitter != "0ms" {
        pairs.push(("jitter", view.jitter.clone()));
    }
    if let Some(limit) = view.failure_limit {
        pairs.push(("failures", format!("{} in a row; paused after {limit}", view.failures)));
    }
    if view.paused {
        let since = view.paused_at.map(|at| format!(" {}", ago(at, now()))).unwrap_or_default();
        pairs.push(("paused", format!("{}{since}{}", view.paused_by.map_or("", |by| by.as_str()), because(view))));
    }
    print(&fields(&pairs, Style::of_stdout()))?;
    if shown.ticks.is_empty() {
        return Ok(());
    }
    let mut table = Table::new([
        Column::left("PLANNED"),
        Column::left("STATE"),
        Column::left("CAUSE"),
        Column::left("JOB"),
        Column::left("NOTE"),
    ]);
    for tick in &shown.ticks {
        let state = Cell::new(tick.state.as_str(), colour(tick.state));
        let job = tick.job_id.map_or(Cell::new("-", Colour::Dim), |id| id.to_string().into());
        let note = tick.note.as_deref().map(one_line).unwrap_or_default();
        table.row([tick.planned_at.to_string().into(), state, tick.cause.as_str().into(), job, note.into()]);
    }
    print("\n")?;
    print_table(&table)
}

fn colour(state: TickState) -> Colour {
    match state {
        TickState::Failed => Colour::Red,
        TickState::Skipped | TickState::Cancelled | TickState::Expired => Colour::Yellow,
        TickState::Done => Colour::Green,
        TickState::Waiting | TickState::Open => Colour::Plain,
    }
}

pub async fn next(config: &Config, args: &NextArgs) -> anyhow::Result<()> {
    let timing = match (&args.name, &args.cron) {
        (_, Some(cron)) => {
            let configured = || Zone::parse(&config.scheduler.timezone);
            let zone = args.zone.clone().map_or_else(configured, Ok);
            Timing { cron: cron.clone(), zone: zone.map_err(|e| Usage(format!("scheduler.timezone: {e}")))? }
        }
        (name, None) => {
            let name = name.as_deref().unwrap_or_default();
            let found = store(config).await?.get_schedule(name).await?.ok_or_else(|| no_such(name))?;
            Timing::of(&found.spec).map_err(anyhow::Error::msg)?
        }
    };
    let fires = timing.after(args.after.unwrap_or_else(now)).take(args.count.into());
    let fires: Vec<FireView> = fires.map(|at| FireView::new(&timing, at)).collect();
    if args.json {
        return print_json(&List::whole(fires));
    }
    let mut table = Table::new([Column::left("LOCAL"), Column::left("UTC"), Column::left("")]);
    for fire in fires {
        let away = Cell::new(relative(fire.at, now()), Colour::Dim);
        table.row([fire.local.into(), fire.at.to_string().into(), away]);
    }
    print_table(&table)
}
