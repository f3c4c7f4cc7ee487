//! The process's one recorder, and the text that Prometheus reads.

use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use thiserror::Error;

use super::names::{self, DURATION_BUCKETS};

/// Why there are no figures. Permanent.
#[derive(Debug, Error)]
#[error("metrics: {0}")]
pub struct MetricsError(String);

/// Renders what was counted.
#[derive(Clone)]
pub struct MetricsHandle(PrometheusHandle);

impl MetricsHandle {
    /// All figures in the Prometheus text format 0.0.4.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// The media type of [`MetricsHandle::render`].
    pub const CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";
}

/// Samples of histograms pile up until they are folded into buckets; this bounds the pile to what a second brings.
const FOLD_EVERY: Duration = Duration::from_secs(1);

/// Makes the recorder of this process; call it once, before the first meter.
///
/// # Errors
/// When there is one already, or no thread can be started.
pub fn install() -> Result<MetricsHandle, MetricsError> {
    let failed = |e: &dyn std::fmt::Display| MetricsError(e.to_string());
    let handle = builder()?.install_recorder().map_err(|e| failed(&e))?;
    names::describe();
    let folding = handle.clone();
    // A plain thread: it needs no runtime and ends with the process.
    std::thread::Builder::new()
        .name("metrics-fold".to_owned())
        .stack_size(128 * 1024)
        .spawn(move || {
            loop {
                std::thread::sleep(FOLD_EVERY);
                folding.run_upkeep();
            }
        })
        .map_err(|e| failed(&e))?;
    Ok(MetricsHandle(handle))
}

fn builder() -> Result<PrometheusBuilder, MetricsError> {
    PrometheusBuilder::new().set_buckets(&DURATION_BUCKETS).map_err(|e| MetricsError(e.to_string()))
}

/// Runs `count` against a recorder of its own and renders what it counted.
#[cfg(test)]
pub(super) fn rendered(count: impl FnOnce()) -> String {
    let recorder = builder().unwrap().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        names::describe();
        count();
    });
    handle.render()
}

#[cfg(test)]
mod tests {
    use super::{super::Meters, install};

    #[test]
    fn the_process_has_one_recorder_and_it_renders_text() {
        let handle = install().unwrap();
        let meters = Meters::default();
        meters.job("emails", "email.send").enqueued(3);
        let text = handle.render();
        assert!(text.contains("# HELP postrider_jobs_enqueued_total Jobs accepted into a queue."), "{text}");
        assert!(text.contains(r#"postrider_jobs_enqueued_total{queue="emails",kind="email.send"} 3"#), "{text}");
        assert!(install().is_err());
    }
}
