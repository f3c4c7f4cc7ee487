//! Workers are killed (SIGKILL) while mails are at every step of their way to the relay. None is lost, none comes twice
//! but those whose class allows it, and every one whose fate nobody knows is `unknown` and listed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use job::{Clock, Job, SystemClock};
use mail::catcher::{Reaction, Step};
use queue::{Broker, Enqueue};
use store::{Category, DeliveryFilter, DeliveryState, MailPhase, NewDelivery};
use testkit::{Database, Redis, wait_until};
use uuid::Uuid;
use worker::jobs::email_send::EmailSend;

use crate::mailroom::Mailroom;
use crate::rig::{DRAIN, Rig, SOON, drained};
use crate::turn;

/// Mails a step: with six steps a little over a thousand in all.
const MAILS: usize = 168;
/// So many mails are at the step when the worker is killed.
const CAUGHT: usize = 8;

/// Where the relay keeps the mails waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Greeting,
    Mail,
    Rcpt,
    Data,
    /// After its 354: the body and the dot are written, and nobody reads them.
    Body,
    /// After the dot: the relay takes the mail, and says so too late.
    Dot,
}

impl At {
    fn catches(self, step: &Step<'_>) -> bool {
        match step {
            Step::Connect { .. } => self == Self::Greeting,
            Step::Mail { .. } => self == Self::Mail,
            Step::Rcpt { .. } => self == Self::Rcpt,
            Step::Data => matches!(self, Self::Data | Self::Body),
            Step::Dot { .. } => self == Self::Dot,
            Step::Ehlo { .. } | Step::Auth => false,
        }
    }

    fn keeps_waiting(self) -> Reaction {
        match self {
            Self::Body => Reaction::ReplyThenStall(354, "go on".to_owned()),
            Self::Dot => Reaction::Delay(Duration::from_secs(4)),
            _ => Reaction::Stall,
        }
    }

    /// Whether the ledger's mark was written by then.
    fn is_past_the_mark(self) -> bool {
        matches!(self, Self::Body | Self::Dot)
    }
}

/// Writes mails, every other one an alert, and enqueues their jobs.
async fn decide(rig: &Rig, broker: &dyn Broker, at: At) -> HashMap<String, (Uuid, Category)> {
    let sample = include_str!("../../../email_templates/booking_confirmed_student/sample.json");
    let now = SystemClock.now();
    let mut people = HashMap::new();
    let mails: Vec<NewDelivery> = (0..MAILS)
        .map(|n| {
            let (category, sender) =
                if n % 2 == 0 { (Category::Booking, "bookings") } else { (Category::Alert, "alerts") };
            let (id, to) = (rig.ids.next(&EmailSend::queue()).uuid(), format!("p{n}@{at:?}.example").to_lowercase());
            people.insert(to.clone(), (id, category));
            NewDelivery {
                data: serde_json::from_str(sample).unwrap(),
                ..NewDelivery::new(id, id.to_string(), category, "booking_confirmed_student", sender, to)
            }
        })
        .collect();
    let rows = rig.store.insert_deliveries(&mails, now).await.unwrap();
    let jobs: Vec<Enqueue> = rows.iter().map(|row| worker::intents::delivery(row, now).into()).collect();
    broker.enqueue(&jobs).await.unwrap();
    people
}

/// Whether the mark is written of a mail that is not sent twice.
async fn past_the_mark(rig: &Rig) -> bool {
    let filter = DeliveryFilter { state: Some(DeliveryState::Sending), ..DeliveryFilter::default() };
    let sending = rig.store.list_deliveries(&filter, 1_000, None).await.unwrap().items;
    sending.iter().any(|mail| mail.category == Category::Booking && mail.phase == Some(MailPhase::Data))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_mails_none_is_lost_or_doubled_although_workers_are_killed_at_every_step() {
    let _turn = turn::alone().await;
    let (redis, database) = (Redis::with_aof().await, Database::create().await);
    let rig = Rig::on_postgres(&redis.url(), database.url()).await.lease(Duration::from_secs(2));
    let (mailroom, rig) = Mailroom::open(rig).await;
    let broker = rig.broker();
    let mut unknown_in_all = 0;
    for at in [At::Greeting, At::Mail, At::Rcpt, At::Data, At::Body, At::Dot] {
        let people = decide(&rig, &broker, at).await;
        let (caught, armed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(true)));
        let (count, on) = (Arc::clone(&caught), Arc::clone(&armed));
        mailroom.catcher.inbox().clear();
        mailroom.catcher.set_script(Some(Arc::new(move |step: &Step<'_>| {
            if at.catches(step) && on.load(Ordering::SeqCst) {
                count.fetch_add(1, Ordering::SeqCst);
                return at.keeps_waiting();
            }
            Reaction::Proceed
        })));
        let mut first = rig.worker(&format!("{at:?}-killed")).await;
        wait_until(&format!("{CAUGHT} mails are at {at:?}"), SOON, async || caught.load(Ordering::SeqCst) >= CAUGHT)
            .await;
        // The relay has said 354; until the worker has heard it and written its mark, the mail is not past it.
        if at == At::Body {
            wait_until("a booking is past the mark", SOON, async || past_the_mark(&rig).await).await;
        }
        first.kill().await;
        armed.store(false, Ordering::SeqCst);
        let second = rig.worker(&format!("{at:?}-second")).await;
        drained(&broker, DRAIN).await;
        let ends = async || {
            let mut ends = HashMap::new();
            for (to, (id, _)) in &people {
                ends.insert(to.clone(), rig.store.get_delivery(*id).await.unwrap().unwrap().0.state);
            }
            ends
        };
        wait_until("every mail has an end", DRAIN, async || ends().await.values().all(|state| state.is_terminal()))
            .await;
        // What the relay took and answered too late is in its mailbox by now, or soon.
        if at == At::Dot {
            let kept = async || mailroom.mails().len() >= MAILS;
            wait_until("the relay has kept what it took", SOON, kept).await;
        }
        let mut copies = HashMap::<String, usize>::new();
        for mail in mailroom.mails() {
            *copies.entry(mail.to.clone()).or_default() += 1;
        }
        let mut unknown = 0;
        for (to, state) in ends().await {
            let (_, category) = people[&to];
            let copies = copies.get(&to).copied().unwrap_or(0);
            match (state, category) {
                (DeliveryState::Sent, Category::Alert) if at.is_past_the_mark() => {
                    assert!((1..=2).contains(&copies), "{to} at {at:?}: {copies} copies");
                }
                (DeliveryState::Sent, _) => assert_eq!(copies, 1, "{to} at {at:?}"),
                (DeliveryState::Unknown, Category::Booking) => {
                    unknown += 1;
                    assert!(at.is_past_the_mark(), "{to} is unknown although it was only at {at:?}");
                    assert!(copies <= 1, "{to} at {at:?}: {copies} copies");
                }
                other => panic!("{to} at {at:?}: {other:?}"),
            }
        }
        assert_eq!(unknown > 0, at.is_past_the_mark(), "{unknown} are unknown at {at:?}");
        unknown_in_all += unknown;
        println!("killed at {at:?}: {MAILS} mails, {unknown} of unknown fate, none lost, none doubled");
        drop(second);
    }
    let filter = DeliveryFilter { state: Some(DeliveryState::Unknown), ..DeliveryFilter::default() };
    let listed = rig.store.list_deliveries(&filter, 1_000, None).await.unwrap();
    assert_eq!(listed.items.len(), unknown_in_all, "every one of them is listed");
}
