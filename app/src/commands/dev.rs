//! `postrider dev`: API, worker, scheduler, queue, store, mail catcher and DNS zone in one process, with nothing installed.
//!
//! 1. The data folder holds everything: two SQLite files, the DKIM key and the keys that seal, made at the first start and kept.
//! 2. A DNS server on loopback answers for the dev domain: SPF, DKIM, DMARC, as real packets.
//! 3. A mail catcher on loopback speaks real SMTP and verifies each mail against that zone, as a receiver would.
//! 4. With `--demo` a day passes in a minute, by a clock of its own ([`crate::demo`]).
//! 5. From there on it is the production path: the same API, worker, scheduler and transport, with the catcher as the relay.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use config::{Config, DEV_DOMAIN, DEV_SELECTOR};
use job::{Clock, SystemClock};
use mail::{Catcher, DkimKey, DnsServer, Verifier};
use worker::Runner;

use super::{Usage, api::bind, start_logging};
use crate::cli::Globals;
use crate::demo::{self, DayClock, PACE};
use crate::process;
use crate::secrets::{dev_keys, private};
use crate::wire::{Parts, hurried_broker, runner_settings};

/// The file in the data folder that says where the zone of a running `dev` is served.
pub const DNS_ADDRESS: &str = "dns.addr";

/// Where, and on which port.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The port on 127.0.0.1.
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// Where everything is kept. Remove it to begin anew.
    #[arg(long, value_name = "DIR", default_value = "./postrider-data")]
    pub data: PathBuf,
    /// Plays a day of a marketplace in a minute: bookings arrive, move, are cancelled, and reminders fire. Bookings and
    /// mails of it are kept in memory only.
    #[arg(long)]
    pub demo: bool,
}

/// Runs until a signal.
pub async fn run(globals: &Globals, args: &Args) -> anyhow::Result<ExitCode> {
    let mut config = Config::load_dev(&args.data, globals.config.as_deref(), super::environment()?)?;
    start_logging(&config)?;
    let metrics = telemetry::metrics::install()?;
    if !config.api.listen.ip().is_loopback() {
        let found = config.api.listen;
        return Err(Usage(format!("dev listens on loopback only: api.listen is {found}; leave it out")).into());
    }
    make_private(&args.data)?;
    let _lock = alone_in(&args.data)?;
    dev_keys(&config, SystemClock.now())?;
    // Making a key takes a few tenths of a second: the queue and the store open meanwhile.
    let key_file = args.data.join("dkim.pem");
    let key = tokio::task::spawn_blocking(move || dkim_key(&key_file));
    let day = args.demo.then(DayClock::start);
    let mut parts = match &day {
        Some(day) => {
            let clock: Arc<dyn Clock> = Arc::new(day.clone());
            config.store.url = "sqlite::memory:".parse().context("a store in memory")?;
            let broker = hurried_broker(&config, Arc::clone(&clock), PACE).await?;
            Parts::at(config, broker, clock).await?
        }
        None => Parts::build(config).await?,
    };
    parts.store.migrate().await.context("the store in the data folder")?;
    let key = key.await??;

    let zone = mail::zone::dev_zone(DEV_DOMAIN, DEV_SELECTOR, &key.public_txt())?;
    let dns = Arc::new(DnsServer::start(zone).await.context("the DNS server")?);
    parts.config.mail.dns.servers = vec![config::NameServer(dns.addr())];
    // So that `postrider domain check --data` asks the same zone.
    std::fs::write(args.data.join(DNS_ADDRESS), dns.addr().to_string()).context("the address of the DNS server")?;
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let verifier = Verifier::new(dns.addr())?;
    let catcher = Catcher::start(SocketAddr::new(loopback, 0), verifier, Arc::clone(&parts.clock))
        .await
        .context("the mail catcher")?;
    let relay = format!("smtp://{}", catcher.addr());
    parts.config.mail.transport = Some(relay.parse().context("the mail catcher's address")?);
    let names = Arc::clone(&dns);
    let listener = bind("--port", SocketAddr::new(loopback, args.port)).await?;
    let address = listener.local_addr()?;
    // Links in mails lead to here, whatever port it is: known before anything is told of it.
    parts.config.api.listen = address;
    let context = parts.context()?;
    let templates = Arc::clone(&context.mailer.as_ref().context("dev always has a relay and senders")?.renderer);
    let dev = api::Dev { inbox: catcher.inbox(), zone: Arc::new(move || names.zone().to_string()), templates };
    let state = super::api::state(&parts, metrics, Some(dev))?;
    let shutdown = process::shutdown_on_signal()?;
    let runner = Runner::start(runner_settings(&parts.config, None, None)?, Arc::clone(&parts.registry), context);
    // A day by a clock of its own scans its reminders itself; schedules would remember its times.
    let ticking = match &day {
        Some(_) => None,
        None => Some(tokio::spawn(super::scheduler::ticker(&parts)?.run(shutdown.clone()))),
    };
    let mut banner = format!(
        "postrider is ready\n  \
         mailbox  http://{address}/mailbox\n  \
         API      http://{address}/docs   (Authorization: Bearer dev)\n  \
         data     {}\n\n\
         Send a booking:\n  \
         curl -s -H 'Authorization: Bearer dev' -H 'Content-Type: application/json' \\\n    \
         -d @examples/booking-confirmed.json {address}/v1/bookings/bk_1001/events\n",
        args.data.display()
    );
    if day.is_some() {
        banner.push_str("\nA day passes in a minute from now on: watch the mailbox.\n");
    }
    say(&banner);
    let played = match day {
        Some(day) => {
            let (context, inbox) = (parts.context()?, catcher.inbox());
            Some(tokio::spawn(async move {
                let playing = async {
                    let scenes = demo::play(&context, &day).await?;
                    say(&format!("The day is over: {scenes} things happened, {} mails came of it.\n", inbox.len()));
                    demo::go_on(&context).await
                };
                match playing.await {
                    Ok(never) => match never {},
                    Err(e) => tracing::error!(error = format!("{e:#}"), "the demonstration stopped"),
                }
            }))
        }
        None => None,
    };
    api::serve(listener, api::router(state), shutdown.cancelled_owned()).await?;
    if let Some(played) = played {
        played.abort();
    }
    if let Some(ticking) = ticking {
        ticking.await?;
    }
    let left = runner.shut_down().await;
    catcher.shutdown().await;
    Ok(if left == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Says something on standard output. Nobody may be reading: that is no reason not to run.
fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush());
}

/// The data folder, for its owner only.
fn make_private(dir: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    let told = || format!("--data {}", dir.display());
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).with_context(told)?;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700)).with_context(told)
}

/// Holds the folder for this process: each `dev` catches the mails that its own worker sends, so two in one folder would
/// show half of them each.
fn alone_in(dir: &Path) -> anyhow::Result<File> {
    let path = dir.join("dev.lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.with_context(|| path.display().to_string())?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let dir = dir.display();
            Err(Usage(format!("--data {dir}: another `postrider dev` runs on this folder; give this one its own"))
                .into())
        }
        Err(TryLockError::Error(e)) => Err(e).with_context(|| path.display().to_string()),
    }
}

/// The dev domain's DKIM key: made at the first start and kept.
fn dkim_key(path: &Path) -> anyhow::Result<DkimKey> {
    use secrecy::ExposeSecret;
    let told = || format!("the DKIM key {}", path.display());
    match std::fs::read_to_string(path) {
        Ok(pem) => DkimKey::from_pem(&pem).with_context(told),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let key = DkimKey::generate()?;
            private(path, key.to_pem().expose_secret().as_bytes()).with_context(told)?;
            Ok(key)
        }
        Err(e) => Err(e).with_context(told),
    }
}
