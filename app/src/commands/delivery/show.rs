//! `postrider delivery show`.

use std::process::ExitCode;

use anyhow::anyhow;
use api::DeliveryView;
use jiff::Timestamp;
use job::{Clock, SystemClock};
use store::{History, Store, story};
use uuid::Uuid;

use super::{colour, id};
use crate::output::{Colour, Style, ago, fields, one_line, print, print_json, relative};

/// Which mail.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider delivery show 01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77
  postrider delivery show 01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77 --json | jq .attempts")]
pub struct Args {
    /// The delivery's id
    #[arg(value_name = "ID", value_parser = id)]
    id: Uuid,
    /// Answer with JSON, in the shape of GET /v1/deliveries/{id}
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub async fn run(store: &Store, args: &Args) -> anyhow::Result<ExitCode> {
    let history = store.delivery_history(args.id).await?;
    let history = history.ok_or_else(|| anyhow!("there is no delivery {}", args.id))?;
    let now = SystemClock.now();
    if args.json {
        print_json(&DeliveryView::new(history, now))?;
    } else {
        print(&page(&history, now, Style::of_stdout()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// All of it, for people: the answer first, then the facts.
fn page(history: &History, now: Timestamp, style: Style) -> String {
    let mail = &history.delivery;
    let instant = |at: Timestamp| {
        let said = if at > now { relative(at, now) } else { ago(at, now) };
        format!("{at}  ({said})")
    };
    let mut text = String::new();
    for sentence in story(history, now) {
        text.push_str(&one_line(&sentence));
        text.push('\n');
    }
    text.push('\n');
    let mut said: Vec<(&str, String)> = vec![
        ("delivery", mail.id.to_string()),
        ("state", style.paint(colour(mail.state), mail.state.as_str())),
        ("to", one_line(&mail.recipient)),
        ("template", one_line(&mail.template)),
        ("sender", one_line(&mail.sender)),
        ("category", mail.category.to_string()),
    ];
    said.extend(mail.subject.as_ref().map(|subject| ("subject", one_line(subject))));
    said.extend(mail.message_id.as_ref().map(|id| ("message id", one_line(id))));
    said.extend(mail.booking_id.as_ref().map(|id| ("booking", one_line(id))));
    said.extend(mail.email_id.as_ref().map(|id| ("email", id.to_string())));
    said.push(("what for", one_line(&mail.idempotency_key)));
    said.push(("job", mail.job_id.to_string()));
    said.push(("decided", instant(mail.created_at)));
    let optional = [("deadline", mail.deadline), ("next attempt", mail.next_attempt_at), ("sent", mail.sent_at)];
    said.extend(optional.into_iter().filter_map(|(label, at)| at.map(|at| (label, instant(at)))));
    text.push_str(&fields(&said, style));
    if !history.attempts.is_empty() {
        text.push_str(&format!("\n{}\n", style.paint(Colour::Dim, "attempts, the latest last")));
    }
    for attempt in &history.attempts {
        let code = attempt.code.map(|code| code.to_string());
        let words = [attempt.relay.as_deref(), attempt.phase.as_deref(), code.as_deref(), attempt.enhanced.as_deref()];
        let words = words.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let took = attempt.duration.as_millis();
        let at = attempt.started_at;
        text.push_str(&format!("  {:>3}  {at}  {} in {took} ms  {}\n", attempt.n, attempt.outcome, one_line(&words)));
        if let Some(said) = &attempt.text {
            text.push_str(&format!("       {}\n", one_line(said)));
        }
    }
    text
}
