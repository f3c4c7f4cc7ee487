//! What has to report regularly, from the configuration.

use config::Config;
use worker::heartbeats::{Definition, HeartbeatRules};

use crate::commands::Usage;

/// The heartbeats that this installation's configuration defines.
pub fn heartbeat_rules(config: &Config) -> anyhow::Result<HeartbeatRules> {
    let mut rules = HeartbeatRules::default();
    for (name, entry) in &config.heartbeats {
        let definition = Definition::new(entry.period, entry.grace, entry.severity).map_err(|wrong| {
            let keys: Vec<String> =
                wrong.iter().map(|e| format!("heartbeats.{name}.{}: {}", e.field, e.message)).collect();
            Usage(keys.join("\n"))
        })?;
        rules.configured.insert(name.clone(), definition);
    }
    Ok(rules)
}
