//! `postrider scheduler`: fires schedules until a signal. Any number may run; one leads.

use std::process::ExitCode;
use std::sync::Arc;

use scheduler::Ticker;
use store::ScheduleSpec;

use super::{Usage, api::bind, load, start_logging};
use crate::cli::Globals;
use crate::process;
use crate::wire::{Parts, Schema, queue_names};

/// The schedules of this installation. One that cannot be (a kind that does not exist, a queue that no worker consumes) is a
/// mistake of whoever starts this.
pub fn configured(parts: &Parts) -> anyhow::Result<Vec<(String, ScheduleSpec)>> {
    let queues = queue_names(&parts.config)?;
    Ok(scheduler::configured(&parts.config, &parts.registry, &queues).map_err(|e| Usage(e.to_string()))?)
}

/// The scheduler of this process.
pub fn ticker(parts: &Parts) -> anyhow::Result<Ticker> {
    let its = scheduler::Parts {
        store: parts.store.clone(),
        broker: Arc::clone(&parts.broker),
        registry: Arc::clone(&parts.registry),
        queues: queue_names(&parts.config)?,
        ids: Arc::clone(&parts.ids),
        clock: Arc::clone(&parts.clock),
        meters: parts.meters.clone(),
        notices: parts.notices()?,
    };
    let holder = format!("{:016x}", process::start_id());
    Ok(Ticker::new(its, configured(parts)?, holder, parts.config.scheduler.lease))
}

/// Runs until a signal.
pub async fn run(globals: &Globals) -> anyhow::Result<ExitCode> {
    let config = load(globals)?;
    start_logging(&config)?;
    let metrics = telemetry::metrics::install()?;
    let parts = Parts::build(config).await?;
    let ticker = ticker(&parts)?;
    let shutdown = process::shutdown_on_signal()?;
    let schema = Schema::prepare(&parts, shutdown.clone()).await?;
    let figures = match parts.config.scheduler.metrics_listen {
        Some(address) => {
            let state = super::api::state(&parts, metrics, None)?;
            let listener = bind("scheduler.metrics_listen", address).await?;
            let until = shutdown.clone().cancelled_owned();
            Some(tokio::spawn(api::serve(listener, api::metrics_router(state), until)))
        }
        None => None,
    };
    tracing::info!("scheduler ready");
    ticker.run(shutdown).await;
    if let Some(figures) = figures {
        figures.await??;
    }
    schema.end().await?;
    tracing::info!("scheduler stopped");
    Ok(ExitCode::SUCCESS)
}
