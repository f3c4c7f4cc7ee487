//! What was measured: for people, or as JSON with the keys that scripts rely on.

use std::time::Duration;

use queue::redis::RedisBroker;
use serde_json::{Map, Value, json};

/// Figures in the order in which they were taken.
#[derive(Debug, Default)]
pub struct Figures {
    lines: Vec<(String, String)>,
    json: Map<String, Value>,
}

impl Figures {
    /// Adds what was run.
    pub fn ran(&mut self, what: &str, value: impl ToString) {
        self.lines.push((what.to_owned(), value.to_string()));
        self.json.insert(what.replace([' ', '-'], "_"), json!(value.to_string()));
    }

    /// Adds a figure: `key` in JSON, `what` and `unit` for people.
    pub fn add(&mut self, key: &str, what: &str, value: f64, unit: &str) {
        let shown = if value >= 100.0 { format!("{value:.0} {unit}") } else { format!("{value:.2} {unit}") };
        self.lines.push((what.to_owned(), shown));
        self.json.insert(key.to_owned(), json!((value * 1000.0).round() / 1000.0));
    }

    /// The text to print.
    pub fn show(&self, as_json: bool) -> String {
        if as_json {
            return serde_json::to_string_pretty(&self.json).unwrap_or_default();
        }
        let width = self.lines.iter().map(|(what, _)| what.len()).max().unwrap_or(0);
        let line = |(what, value): &(String, String)| format!("{what:width$}  {value}");
        self.lines.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// The value below which the share `q` of the sorted samples lies, in milliseconds.
pub fn percentile(sorted: &[Duration], q: f64) -> f64 {
    let at = ((sorted.len() as f64 * q) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(f64::NAN, |d| d.as_secs_f64() * 1000.0)
}

/// CPU time that this process has used, in seconds; `None` where `/proc` does not tell.
pub fn own_cpu() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut after_name = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let ticks: f64 = after_name.next()?.parse::<f64>().ok()? + after_name.next()?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}

/// The resident memory of this process in bytes; `None` where `/proc` does not tell.
pub fn own_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kib| kib * 1024.0)
}

/// A field of Redis's `INFO`, as a number.
pub async fn info(redis: &RedisBroker, field: &str) -> anyhow::Result<f64> {
    let mut connection = redis.connection().await?;
    let text: String = redis::cmd("INFO").arg("everything").query_async(&mut connection).await?;
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    Ok(value.and_then(|value| value.trim().parse().ok()).unwrap_or(f64::NAN))
}

/// CPU time that Redis has used, in seconds.
pub async fn redis_cpu(redis: &RedisBroker) -> anyhow::Result<f64> {
    Ok(info(redis, "used_cpu_sys").await? + info(redis, "used_cpu_user").await?)
}
