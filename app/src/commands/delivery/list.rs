//! `postrider delivery list`.

use std::process::ExitCode;

use api::DeliverySummary;
use jiff::Timestamp;
use job::{Clock, SystemClock};
use mail::EmailAddress;
use store::{Delivery, DeliveryFilter, DeliveryState, Store};

use super::colour;
use crate::commands::reach::at_cursor;
use crate::output::{Cell, Colour, Column, List, Table, ago, hint, one_line, print_json, print_table, relative};

/// Which mails.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider delivery list --recipient zoe@example.com
  postrider delivery list --state unknown
  postrider delivery list --booking bk_1001 --json | jq -r '.items[].state'")]
pub struct Args {
    /// Only to this address
    #[arg(long, value_name = "ADDRESS")]
    recipient: Option<EmailAddress>,
    /// Only about this booking
    #[arg(long, value_name = "ID")]
    booking: Option<String>,
    /// Only in this state: queued, sending, sent, deferred, held, suppressed, cancelled, expired, failed or unknown
    #[arg(long, value_name = "STATE")]
    state: Option<DeliveryState>,
    /// How many, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    limit: u32,
    /// Where to go on: what the page before said
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// Answer with JSON, in the shape of GET /v1/deliveries
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub async fn run(store: &Store, args: &Args) -> anyhow::Result<ExitCode> {
    let filter = DeliveryFilter {
        recipient: args.recipient.as_ref().map(|address| address.as_str().to_owned()),
        booking_id: args.booking.clone(),
        state: args.state,
    };
    let page = store.list_deliveries(&filter, args.limit, args.cursor.as_deref()).await.map_err(at_cursor)?;
    if args.json {
        let items = page.items.into_iter().map(DeliverySummary::from).collect();
        print_json(&List { items, next_cursor: page.next_cursor })?;
        return Ok(ExitCode::SUCCESS);
    }
    if page.items.is_empty() {
        hint("no such mails");
        return Ok(ExitCode::SUCCESS);
    }
    print_table(&table(&page.items, SystemClock.now()))?;
    if let Some(cursor) = page.next_cursor {
        hint(&format!("\nthere are more: the same with --cursor {cursor}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn table(mails: &[Delivery], now: Timestamp) -> Table {
    let mut table = Table::new([
        Column::left("ID"),
        Column::left("STATE"),
        Column::left("TEMPLATE"),
        Column::left("RECIPIENT"),
        Column::right("ATTEMPTS"),
        Column::left("WHEN"),
        Column::left("NOTE"),
    ]);
    for mail in mails {
        table.row([
            mail.id.to_string().into(),
            Cell::new(mail.state.as_str(), colour(mail.state)),
            one_line(&mail.template).into(),
            one_line(&mail.recipient).into(),
            mail.attempts.to_string().into(),
            when(mail, now).into(),
            Cell::new(one_line(mail.last_error.as_deref().unwrap_or_default()), Colour::Dim),
        ]);
    }
    table
}

/// The instant that matters most in its state.
fn when(mail: &Delivery, now: Timestamp) -> String {
    match (mail.state, mail.sent_at, mail.next_attempt_at) {
        (DeliveryState::Sent, Some(at), _) => format!("sent {}", ago(at, now)),
        (DeliveryState::Deferred, _, Some(at)) => format!("again {}", relative(at, now)),
        (DeliveryState::Queued, ..) => format!("decided {}", ago(mail.created_at, now)),
        _ => ago(mail.touched_at, now),
    }
}
