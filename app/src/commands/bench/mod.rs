//! `postrider bench`: measures through the production path: the same broker, consumer, apalis loops, layers and API that
//! run in production, with leases, expiry, cancel, listing and retention as configured by default.

mod alerts;
mod api;
mod clean;
mod figures;
mod http;
mod mail;
mod queue;
mod reminders;
mod search;
mod sink;
mod stamp;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use ::queue::redis::RedisBroker;
use ::queue::{Broker, Settings};
use anyhow::Context as _;
use job::{Chance, IdSource, QueueName, SystemClock};
use store::{Scratch, Store, StoreConfig};

use super::Usage;

/// What to measure.
#[derive(Debug, clap::Args)]
#[command(after_help = "Figures of two runs are only comparable on the same machine at the same hour: run both sides \
of a comparison together. docs/PERFORMANCE.md holds ours, and how the peers were run.")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Enqueue, drain and pick-up latency of no-op jobs.
    Queue(QueueArgs),
    /// Enqueueing over HTTP: single requests and batches of 1,000.
    Api(ApiArgs),
    /// Mails: render, sign (RSA-2048), SMTP to a local sink, ledger.
    Mail(MailArgs),
    /// A storm of alerts over HTTP: how fast they are answered, whether each is counted, who is told.
    Alerts(AlertsArgs),
    /// The sink of `bench mail`.
    #[command(hide = true)]
    Sink,
    /// The scan for reminders among a million bookings, and many that are due at once.
    Reminders(RemindersArgs),
    /// Search events through API and worker into Postgres, and counting a day of them.
    Search(SearchArgs),
}

/// Where the queue lies.
#[derive(Debug, Clone, clap::Args)]
#[group(required = true, multiple = false)]
struct Backend {
    /// A Redis. Keys are made under a prefix of their own and removed at the end.
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// A new SQLite file; it is refused if it exists, and removed at the end.
    #[arg(long, value_name = "FILE")]
    sqlite: Option<PathBuf>,
}

/// How much to measure.
#[derive(Debug, clap::Args)]
struct QueueArgs {
    #[command(flatten)]
    backend: Backend,
    /// How many jobs are enqueued and drained.
    #[arg(long, default_value_t = 300_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    jobs: u64,
    /// How many jobs run at a time in the worker.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    concurrency: u64,
    /// How many jobs the latency is taken from, at 100 a second on the idle system.
    #[arg(long, default_value_t = 500)]
    latency_jobs: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// How much to measure.
#[derive(Debug, clap::Args)]
struct ApiArgs {
    #[command(flatten)]
    backend: Backend,
    /// How many single requests.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    requests: u64,
    /// How many batches of 1,000 jobs.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    batches: u64,
    /// How many connections the single requests come over.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    connections: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// How much to measure.
#[derive(Debug, clap::Args)]
struct MailArgs {
    #[command(flatten)]
    backend: Backend,
    /// A Postgres for the store: a database of its own is made there and removed at the end. Without it the store is a SQLite
    /// file, beside that of --sqlite or in the folder for temporary files.
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// How many mails.
    #[arg(long, default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    mails: u64,
    /// How many mails are under way at a time.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    concurrency: u64,
    /// How many connections to the sink.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    connections: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// How much to measure.
#[derive(Debug, clap::Args)]
struct AlertsArgs {
    #[command(flatten)]
    backend: Backend,
    /// A Postgres for the store: a database of its own is made there and removed at the end. Without it the store is a SQLite
    /// file, beside that of --sqlite or in the folder for temporary files.
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// How many alerts.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    alerts: u64,
    /// Of how many types.
    #[arg(long, default_value_t = 2_800, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    types: u64,
    /// Within how many seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// How many connections they come over.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    connections: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// How much to measure.
#[derive(Debug, clap::Args)]
struct RemindersArgs {
    #[command(flatten)]
    backend: Backend,
    /// An empty database; what is written there is left for you to drop.
    #[arg(long, value_name = "URL")]
    store: String,
    /// How many bookings there are that are not due.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    bookings: u64,
    /// How many reminders are due at once, two a booking.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(2..=10_000_000))]
    due: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// How much to measure.
#[derive(Debug, clap::Args)]
struct SearchArgs {
    #[command(flatten)]
    backend: Backend,
    /// A Postgres for the store: a database of its own is made there and removed at the end.
    #[arg(long, value_name = "URL")]
    postgres: String,
    /// How many events go through API and worker, in batches of 1,000; 0 leaves it out.
    #[arg(long, default_value_t = 500_000, value_parser = clap::value_parser!(u64).range(0..=2_000_000))]
    events: u64,
    /// How many events the day has that is counted; 0 leaves it out.
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(0..=100_000_000))]
    day: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Measures.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let json = match args.what {
        What::Queue(args) => {
            let bench = Bench::open(&args.backend, "bench", Tables::Memory).await?;
            let figures = queue::run(&bench, args.jobs, args.concurrency, args.latency_jobs).await;
            bench.clean().await?;
            figures?.show(args.json)
        }
        What::Api(args) => {
            let bench = Bench::open(&args.backend, "bench", Tables::Memory).await?;
            let figures = api::run(&bench, args.requests, args.batches, args.connections).await;
            bench.clean().await?;
            figures?.show(args.json)
        }
        What::Mail(args) => {
            let tables = args.postgres.map_or(Tables::File, Tables::Postgres);
            let bench = Bench::open(&args.backend, "emails", tables).await?;
            let figures = mail::run(&bench, args.mails, args.concurrency, args.connections).await;
            bench.clean().await?;
            figures?.show(args.json)
        }
        What::Alerts(args) => {
            let tables = args.postgres.map_or(Tables::File, Tables::Postgres);
            let bench = Bench::open(&args.backend, "default", tables).await?;
            let figures = alerts::run(&bench, args.alerts, args.types, args.seconds, args.connections).await;
            bench.clean().await?;
            figures?.show(args.json)
        }
        What::Sink => return sink::run().await,
        What::Reminders(args) => {
            let bench = Bench::open(&args.backend, "bench", Tables::Memory).await?;
            let figures = reminders::run(&bench, &args.store, args.bookings, args.due).await;
            bench.clean().await?;
            figures?.show(args.json)
        }
        What::Search(args) => {
            let bench = Bench::open(&args.backend, "search", Tables::Postgres(args.postgres)).await?;
            let figures = search::run(&bench, args.events, args.day).await;
            bench.clean().await?;
            figures?.show(args.json)
        }
    };
    println!("{json}");
    Ok(ExitCode::SUCCESS)
}

/// Where the store of a measurement lies.
enum Tables {
    /// In memory: it is not what is measured.
    Memory,
    /// In a new SQLite file.
    File,
    /// In a new database of this Postgres.
    Postgres(String),
}

/// A queue and a store of their own, for one measurement.
struct Bench {
    broker: Arc<dyn Broker>,
    redis: Option<RedisBroker>,
    /// SQLite files that are removed at the end.
    files: Vec<PathBuf>,
    scratch: Option<Scratch>,
    prefix: String,
    store: Store,
    ids: Arc<IdSource>,
    queue: QueueName,
}

impl Bench {
    async fn open(backend: &Backend, queue: &str, tables: Tables) -> anyhow::Result<Self> {
        let prefix = format!("postrider-bench-{:016x}", Chance::system().bits());
        let queue = QueueName::new(queue)?;
        // As `[queues.search]` has it.
        let completed_counts = [(QueueName::new("search")?, 0)].into();
        let settings = Settings { queues: vec![queue.clone()], completed_counts, ..Settings::default() };
        let (mut redis, mut files, mut scratch) = (None, Vec::new(), None);
        let broker: Arc<dyn Broker> = match (&backend.redis, &backend.sqlite) {
            (Some(url), _) => {
                let broker = RedisBroker::connect(url, &prefix, settings).await.context("--redis")?;
                redis = Some(broker.clone());
                Arc::new(broker)
            }
            (None, Some(path)) => {
                if path.exists() {
                    return Err(
                        Usage(format!("--sqlite {}: there is such a file; name a new one", path.display())).into()
                    );
                }
                files.push(path.clone());
                Arc::new(::queue::sqlite::SqliteBroker::open(&path.display().to_string(), settings).await?)
            }
            (None, None) => return Err(Usage("--redis URL or --sqlite FILE".to_owned()).into()),
        };
        let url = match tables {
            Tables::Memory => "sqlite::memory:".to_owned(),
            Tables::File => {
                let beside = backend.sqlite.clone().unwrap_or_else(|| std::env::temp_dir().join(&prefix));
                let mut file = beside.into_os_string();
                file.push("-store");
                files.push(file.clone().into());
                format!("sqlite:{}", PathBuf::from(file).display())
            }
            Tables::Postgres(url) => {
                let made = Scratch::create(&url, &prefix.replace('-', "_")).await.context("--postgres")?;
                scratch.insert(made).url()
            }
        };
        let store = Store::open(&StoreConfig::new(url)).await?;
        store.migrate().await?;
        let ids = Arc::new(IdSource::new(Arc::new(SystemClock)));
        Ok(Self { broker, redis, files, scratch, prefix, store, ids, queue })
    }

    async fn clean(self) -> anyhow::Result<()> {
        if let Some(redis) = &self.redis {
            clean::keys(redis, &self.prefix).await?;
        }
        self.store.close().await;
        if let Some(scratch) = self.scratch {
            scratch.remove().await.context("--postgres")?;
        }
        for file in &self.files {
            for end in ["", "-wal", "-shm"] {
                let mut name = file.clone().into_os_string();
                name.push(end);
                let _ = std::fs::remove_file(name);
            }
        }
        Ok(())
    }

    /// What runs where, for the head of the figures.
    fn backend(&self) -> &'static str {
        if self.redis.is_some() { "redis" } else { "sqlite" }
    }
}
