//! Silences: made, listed, ended.

use std::sync::Arc;

use alerting::{Invalid, Matcher, Silence, SilenceState};
use anyhow::bail;
use api::silences::SilenceView;
use config::Config;
use jiff::Timestamp;
use job::{Clock, IdSource, Job, SystemClock};
use store::{MOST_SILENCES, Put, SilenceFilter, StoredSilence};
use uuid::Uuid;
use worker::jobs::email_send::EmailSend;

use super::{Usage, now};
use crate::commands::reach::store;
use crate::output::{Cell, Colour, Column, List, Table, hint, one_line, print, print_json, print_table, relative};

/// Who acts, in the list.
const ACTOR: &str = "the command line";

/// What to silence, and for how long.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider alerts silence 'team=\"db\"' 'severity=~\"warning|info\"' --for 2h --comment 'moving the disks'
  postrider alerts silence alertname=disk.full --until 2026-12-01T08:00:00Z")]
pub struct NewArgs {
    /// Labels that have to match, all of them: a=b, a!=b, a=~expression, a!~expression
    #[arg(value_name = "MATCHER", required = true)]
    matchers: Vec<Matcher>,
    /// How long: 30m, 2h, 7d
    #[arg(long = "for", value_name = "TIME", value_parser = span, conflicts_with = "until", required_unless_present = "until")]
    span: Option<std::time::Duration>,
    /// Until when
    #[arg(long, value_name = "RFC3339")]
    until: Option<Timestamp>,
    /// From when; now unless said otherwise
    #[arg(long, value_name = "RFC3339")]
    from: Option<Timestamp>,
    /// Why, for whoever wonders
    #[arg(long, value_name = "TEXT", default_value = "")]
    comment: String,
    /// Who asks for it
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = ACTOR)]
    by: String,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

/// Which to list.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider alerts silences
  postrider alerts silences --state active --json")]
pub struct ListArgs {
    /// Only those that are pending, active or expired; several with commas between
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = state, default_value = "pending,active")]
    state: Vec<SilenceState>,
    /// How many to show, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Where to go on: `next_cursor` of the page before
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

/// Which to end.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider alerts unsilence 01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77")]
pub struct EndArgs {
    /// The silence's id
    #[arg(value_name = "ID")]
    id: Uuid,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

fn span(text: &str) -> Result<std::time::Duration, String> {
    job::duration::parse(text).map_err(|_| "a length of time such as 30m, 2h or 7d is expected".to_owned())
}

fn state(text: &str) -> Result<SilenceState, String> {
    [SilenceState::Pending, SilenceState::Active, SilenceState::Expired]
        .into_iter()
        .find(|state| state.as_str() == text)
        .ok_or_else(|| "pending, active or expired is expected".to_owned())
}

/// Makes one.
pub async fn create(config: &Config, args: &NewArgs) -> anyhow::Result<()> {
    let now = now();
    let starts_at = args.from.unwrap_or(now).max(now);
    let ends_at = match (args.until, args.span) {
        (Some(until), _) => until,
        (None, span) => starts_at.checked_add(span.unwrap_or_default()).unwrap_or(Timestamp::MAX),
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let silence = Silence {
        id: IdSource::new(clock).next(&EmailSend::queue()).uuid(),
        matchers: args.matchers.clone(),
        created_by: args.by.clone(),
        comment: args.comment.clone(),
        starts_at,
        ends_at,
    };
    silence.validate(now).map_err(|wrong| Usage(told(&wrong)))?;
    let store = store(config).await?;
    let put = store.insert_silence(&silence, ACTOR, now).await;
    store.close().await;
    match put? {
        Put::Done(row) if args.json => print_json(&SilenceView::at(row, now)),
        Put::Done(row) => print(&format!(
            "silenced until {}: {}\n{}\n",
            row.silence.ends_at,
            alerting::print_list(&row.silence.matchers),
            row.silence.id
        )),
        Put::TooMany => bail!("there are {MOST_SILENCES} silences already that are not over: end some"),
    }
}

/// What is wrong, in the words of the command line.
fn told(wrong: &[Invalid]) -> String {
    let flag = |field: &str| match field {
        "ends_at" => "--for, --until".to_owned(),
        "starts_at" => "--from".to_owned(),
        "created_by" => "--by".to_owned(),
        "matchers" => "MATCHER".to_owned(),
        field => format!("--{field}"),
    };
    wrong.iter().map(|w| format!("{}: {}", flag(&w.field), w.message)).collect::<Vec<_>>().join("; ")
}

/// Lists them.
pub async fn list(config: &Config, args: &ListArgs) -> anyhow::Result<()> {
    let now = now();
    let store = store(config).await?;
    let filter = SilenceFilter { states: args.state.clone() };
    let page = store.list_silences(&filter, args.limit, args.cursor.as_deref(), now).await;
    store.close().await;
    let page = page?;
    if args.json {
        let items = page.items.into_iter().map(|row| SilenceView::at(row, now)).collect();
        return print_json(&List { items, next_cursor: page.next_cursor });
    }
    if page.items.is_empty() {
        hint("nothing is silenced");
        return Ok(());
    }
    let mut table = Table::new(["ID", "STATE", "BEGINS", "ENDS", "BY", "MATCHERS", "COMMENT"].map(Column::left));
    for StoredSilence { silence, .. } in &page.items {
        let state = silence.state(now);
        let colour = if state == SilenceState::Active { Colour::Yellow } else { Colour::Dim };
        table.row([
            silence.id.to_string().into(),
            Cell::new(state.as_str(), colour),
            relative(silence.starts_at, now).into(),
            relative(silence.ends_at, now).into(),
            one_line(&silence.created_by).into(),
            one_line(&alerting::print_list(&silence.matchers)).into(),
            one_line(&silence.comment).into(),
        ]);
    }
    print_table(&table)?;
    if let Some(cursor) = page.next_cursor {
        hint(&format!("more: --cursor {cursor}"));
    }
    Ok(())
}

/// Ends one.
pub async fn end(config: &Config, args: &EndArgs) -> anyhow::Result<()> {
    let now = now();
    let store = store(config).await?;
    let ended = store.end_silence(args.id, ACTOR, now).await;
    store.close().await;
    match ended? {
        None => bail!("there is no such silence; `postrider alerts silences` shows those there are"),
        Some(row) if args.json => print_json(&SilenceView::at(row, now)),
        Some(row) => print(&format!("over: {}\n", alerting::print_list(&row.silence.matchers))),
    }
}
