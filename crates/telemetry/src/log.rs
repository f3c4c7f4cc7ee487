//! Sets up the log: one subscriber a process, writing to standard error, so that standard output stays for results.

use std::io::IsTerminal;

use thiserror::Error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// How an event is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// [`Format::Pretty`] when standard error is a terminal, else [`Format::Json`].
    #[default]
    Auto,
    /// A line for people, coloured in a terminal.
    Pretty,
    /// One JSON object a line, the fields of the surrounding spans included.
    Json,
}

/// Why the log could not be set up. Permanent.
#[derive(Debug, Error)]
pub enum LogError {
    /// The filter is not one.
    #[error("log level {filter:?}: {source}")]
    Filter {
        /// As it was given.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// A subscriber is already there: `init` was called twice.
    #[error("the log is already set up")]
    AlreadySet,
}

/// Dependencies that at `debug` write what we would not: statements, names that are looked up, frames. They stay at
/// `info` unless the filter names them.
const QUIET: [&str; 8] = ["h2", "hickory_net", "hickory_proto", "hickory_resolver", "hyper", "redis", "rustls", "sqlx"];

/// Sets the process up to log. `filter` is a level or directives by target: `info`, `info,queue=debug`.
///
/// # Errors
/// A filter that does not parse, or a second call in one process.
pub fn init(filter: &str, format: Format) -> Result<(), LogError> {
    let filter = parse_filter(filter)?;
    let terminal = std::io::stderr().is_terminal();
    let pretty = match format {
        Format::Auto => terminal,
        Format::Pretty => true,
        Format::Json => false,
    };
    // A reader of the log that has gone away ends nothing: what cannot be written is not written.
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
    let done = if pretty {
        builder.with_ansi(terminal).with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(true).try_init()
    };
    done.map_err(|_| LogError::AlreadySet)
}

fn parse_filter(text: &str) -> Result<EnvFilter, LogError> {
    let named = |target: &&str| !text.split(',').any(|part| part.trim().starts_with(target));
    let quiet: Vec<_> = QUIET.iter().copied().filter(named).collect();
    let broken = |source| LogError::Filter { filter: text.to_owned(), source };
    let filter = EnvFilter::builder().parse(text).map_err(broken)?;
    if filter.max_level_hint().is_none_or(|level| level <= LevelFilter::INFO) {
        return Ok(filter);
    }
    quiet.into_iter().try_fold(filter, |filter, target| {
        let directive = format!("{target}=info").parse().map_err(broken)?;
        Ok(filter.add_directive(directive))
    })
}

#[cfg(test)]
mod tests {
    use super::parse_filter;

    #[test]
    fn at_debug_the_dependencies_stay_quiet_unless_they_are_named() {
        let shown = parse_filter("debug,sqlx=trace").unwrap().to_string();
        assert!(shown.contains("sqlx=trace") && !shown.contains("sqlx=info"), "{shown}");
        assert!(shown.contains("hyper=info"), "{shown}");
        assert_eq!(parse_filter("info").unwrap().to_string(), "info");
    }

    #[test]
    fn a_broken_filter_is_named() {
        let error = parse_filter("queue=loud").unwrap_err().to_string();
        assert!(error.contains("queue=loud"), "{error}");
    }
}
