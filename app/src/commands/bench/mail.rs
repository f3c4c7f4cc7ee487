//! Mail through the production path: queue, worker, ledger, rendering, an RSA-2048 signature each, SMTP to a sink in a
//! process of its own.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use job::{Clock, Job, SystemClock};
use mail::zone::{DEV_DOMAIN, bounce_domain, dev_zone, ehlo_name};
use mail::{
    DkimKey, DkimSigner, Dns, DnsServer, EmailAddress, Locale, RecipientRule, RelayConfig, Renderer, SenderProfile,
    SmtpTransport,
};
use outbound::{Client, Settings, SystemResolver};
use queue::Enqueue;
use queue::consumer::Share;
use serde_json::Value;
use store::{Category, DeliveryFilter, DeliveryState, NewDelivery};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::Instant;
use worker::gate::{Plan, PlannedKey};
use worker::jobs::email_send::EmailSend;
use worker::mailer::Sender;
use worker::pace::Paces;
use worker::{Gate, Mailer, Registry, Runner, RunnerSettings};

use super::Bench;
use super::figures::{Figures, own_cpu, own_memory};
use super::queue::{context, progress, wait_empty};

/// How many mails one transaction writes.
const BATCH: u64 = 500;
/// How often it is looked whether all is done: a look costs the queue as much as several mails.
const LOOK: Duration = Duration::from_millis(25);
/// The template of every mail, with its sample.
const TEMPLATE: &str = "booking_confirmed_student";
const SELECTOR: &str = "bench";

/// Measures.
pub async fn run(bench: &Bench, mails: u64, concurrency: u64, connections: u64) -> anyhow::Result<Figures> {
    let metrics = telemetry::metrics::install()?;
    let mut figures = Figures::default();
    let loops = std::thread::available_parallelism().map_or(1, usize::from);
    figures.ran(
        "ran",
        format!(
            "postrider {} bench mail: {mails} mails, queue in {}, store in {}, {concurrency} at a time over {connections} \
             connections",
            env!("CARGO_PKG_VERSION"),
            bench.backend(),
            bench.store.backend()
        ),
    );
    let sink = Sink::start().await?;
    let renderer = Renderer::new(None)?;
    let sample =
        renderer.sample(TEMPLATE, &Locale::or_english(None)).context("the template of the measurement")?.clone();
    // A zone of its own, so that the gate has real records to look at.
    let key = DkimKey::generate()?;
    let dns = DnsServer::start(dev_zone(DEV_DOMAIN, SELECTOR, &key.public_txt())?).await?;
    let mailer = mailer(renderer, sink.relay(connections), &dns, &key)?;

    // 1. Decide: the rows of the ledger, then their jobs.
    let began = Instant::now();
    for first in (0..mails).step_by(BATCH as usize) {
        progress("writing", first, mails);
        decide(bench, &sample, first..mails.min(first + BATCH)).await?;
    }
    figures.add("decided_per_s", "rows and jobs written", mails as f64 / began.elapsed().as_secs_f64(), "mails/s");

    // 2. Send.
    let cpu = own_cpu();
    let began = Instant::now();
    let runner = start(bench, mailer, concurrency, loops);
    wait_empty(bench, mails, LOOK).await?;
    let took = began.elapsed().as_secs_f64();
    figures.add("mails_per_s", "mails sent", mails as f64 / took, "mails/s");
    if let (Some(before), Some(after)) = (cpu, own_cpu()) {
        figures.add("worker_cpu_cores", "CPU of this process while sending", (after - before) / took, "cores");
    }
    if let Some(bytes) = own_memory() {
        figures.add("worker_rss_bytes", "memory of this process at the end", bytes, "bytes");
    }
    let left = runner.shut_down().await;

    // 3. What was measured must have happened: every mail is at the sink once, and the ledger says so.
    let received = sink.end().await?;
    let counted = metrics.render();
    let sent = counted
        .lines()
        .filter(|line| line.starts_with("postrider_deliveries_total") && line.contains("state=\"sent\""))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum::<u64>();
    for state in DeliveryState::ALL.iter().filter(|state| **state != DeliveryState::Sent) {
        let filter = DeliveryFilter { state: Some(*state), ..DeliveryFilter::default() };
        if let Some(mail) = bench.store.list_deliveries(&filter, 1, None).await?.items.first() {
            bail!("delivery {} is {state}: {}", mail.id, mail.last_error.as_deref().unwrap_or("no reason is noted"));
        }
    }
    if left > 0 || received != mails || sent != mails {
        bail!("{received} of {mails} mails arrived, {sent} were counted as sent, {left} jobs were left");
    }
    Ok(figures)
}

/// Writes the rows of some mails, and enqueues their jobs.
async fn decide(bench: &Bench, sample: &Value, numbers: std::ops::Range<u64>) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let mail = |n: u64| {
        let id = bench.ids.next(&bench.queue).uuid();
        let to = format!("person{n}@domain{}.example", n % 97);
        NewDelivery {
            recipient_name: Some(format!("Person {n}")),
            data: sample.clone(),
            ..NewDelivery::new(id, format!("bench:{n}"), Category::Booking, TEMPLATE, "bookings", to)
        }
    };
    let rows = bench.store.insert_deliveries(&numbers.map(mail).collect::<Vec<_>>(), now).await?;
    let jobs: Vec<Enqueue> = rows.iter().map(|row| worker::intents::delivery(row, now).into()).collect();
    bench.broker.enqueue(&jobs).await?;
    Ok(())
}

fn mailer(renderer: Renderer, relay: RelayConfig, dns: &DnsServer, key: &DkimKey) -> anyhow::Result<Mailer> {
    let signer = Arc::new(DkimSigner::new(key, DEV_DOMAIN, SELECTOR)?);
    let sender = Sender {
        profile: SenderProfile {
            key: "bookings".to_owned(),
            address: EmailAddress::parse(&format!("bookings@{DEV_DOMAIN}"))?,
            display_name: Some("Bookings".to_owned()),
            reply_to: None,
            dkim_selector: SELECTOR.to_owned(),
        },
        category: Category::Booking,
        signer: Arc::clone(&signer),
        bounce: EmailAddress::parse(&format!("bounces@{}", bounce_domain(DEV_DOMAIN)))?,
    };
    Ok(Mailer {
        gate: Arc::new(gate(dns, key, signer)?),
        recipients: RecipientRule::default(),
        renderer: Arc::new(renderer),
        senders: [("bookings".to_owned(), sender)].into(),
        transport: SmtpTransport::new(relay)?,
        fallback: None,
        paces: Paces::default(),
    })
}

/// The gate as in production, for one domain whose mail leaves from this machine.
fn gate(dns: &DnsServer, key: &DkimKey, signer: Arc<DkimSigner>) -> anyhow::Result<Gate> {
    let plan = Plan {
        domain: DEV_DOMAIN.to_owned(),
        senders: vec!["bookings".to_owned()],
        pinned: [].into(),
        selectors: [SELECTOR.to_owned()].into(),
        reply_domains: Vec::new(),
        bounce_domain: bounce_domain(DEV_DOMAIN),
        helo: ehlo_name(DEV_DOMAIN),
        routes: vec![mail::gate::Route { egress: vec!["127.0.0.1".parse()?], ..mail::gate::Route::default() }],
        keys: vec![PlannedKey { selector: SELECTOR.to_owned(), public_txt: key.public_txt(), signer }],
    };
    let client = Client::new(Settings::default(), Arc::new(SystemResolver));
    Ok(Gate::new(Dns::new(&[dns.addr()])?, client, vec![plan]))
}

fn start(bench: &Bench, mailer: Mailer, concurrency: u64, loops: usize) -> Runner {
    let settings = RunnerSettings {
        queues: vec![Share { queue: EmailSend::queue(), weight: 1, limit: None }],
        concurrency: concurrency as usize,
        loops,
        heartbeat: Duration::from_secs(5),
        unknown_grace: Duration::from_secs(600),
        soft: Duration::from_secs(20),
        hard: Duration::from_secs(30),
        sweep_after: Duration::from_secs(300),
        worker: crate::process::start_id(),
    };
    Runner::start(settings, Arc::new(Registry::standard(false)), context(bench, Some(mailer)))
}

/// The relay: the catcher, without judging, in a process of its own.
struct Sink {
    process: Child,
    address: std::net::SocketAddr,
}

impl Sink {
    async fn start() -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["bench", "sink"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("starting the sink")?;
        let stdout = process.stdout.as_mut().context("the sink's answer")?;
        let mut line = String::new();
        BufReader::with_capacity(64, stdout).read_line(&mut line).await?;
        let address = line.trim().parse().with_context(|| format!("the sink said {line:?}"))?;
        Ok(Self { process, address })
    }

    fn relay(&self, connections: u64) -> RelayConfig {
        RelayConfig {
            max_connections: connections as usize,
            ..RelayConfig::plain(self.address, &ehlo_name(DEV_DOMAIN))
        }
    }

    /// Ends it; how many mails it took.
    async fn end(mut self) -> anyhow::Result<u64> {
        drop(self.process.stdin.take());
        let mut said = String::new();
        self.process.stdout.take().context("the sink's count")?.read_to_string(&mut said).await?;
        self.process.wait().await?;
        said.trim().parse().with_context(|| format!("the sink said {said:?}"))
    }
}
