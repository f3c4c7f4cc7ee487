//! `[telemetry]`: how the process writes its log.

use serde::Deserialize;

use crate::check::Check;

/// Log settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// A level, or directives by target: `info`, `info,queue=debug`.
    pub level: String,
    /// How an event is written.
    pub format: LogFormat,
}

/// How log events look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `pretty` when standard error is a terminal, else `json`.
    #[default]
    Auto,
    /// Lines for people.
    Pretty,
    /// One JSON object a line.
    Json,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { level: "info,apalis_core=warn,hickory_server=warn".to_owned(), format: LogFormat::Auto }
    }
}

impl Telemetry {
    pub(crate) fn validate(&self, check: &mut Check) {
        let level = |word: &str| {
            ["off", "error", "warn", "info", "debug", "trace"].iter().any(|l| l.eq_ignore_ascii_case(word))
        };
        let directive = |part: &str| match part.rsplit_once('=') {
            Some((target, l)) => !target.is_empty() && level(l),
            None => level(part),
        };
        let fits = self.level.split(',').all(|part| directive(part.trim()));
        check.that(
            fits,
            "level",
            "must be off, error, warn, info, debug or trace, alone or as target=level, separated by commas",
        );
    }
}
