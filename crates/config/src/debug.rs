//! `[debug]`: what exists for trying and testing only.

use serde::Deserialize;

/// Switches that a production installation leaves off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Debug {
    /// Whether the `debug.*` job kinds can be enqueued and run (`debug.crash` ends the worker process).
    pub kinds: bool,
}
