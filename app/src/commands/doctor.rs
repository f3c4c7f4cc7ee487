//! `postrider doctor`: looks at queue, store, mail and disk, and says what to mend. What it looks at is in
//! [`crate::doctor`].

use std::process::ExitCode;

use config::ConfigError;
use serde::Serialize;

use super::load;
use crate::cli::Globals;
use crate::doctor::{Check, Level, Report, examine};
use crate::output::{Colour, Style, print, print_json, width, wrap};

/// How to tell it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "It changes nothing. Exit code 1 if a check fails, 0 if there are only warnings, 2 if the configuration cannot
be used.

Examples:
  postrider doctor
  postrider doctor --config /etc/postrider.toml --json | jq '.checks[] | select(.status != \"ok\")'
  postrider doctor --data ./postrider-data       the folder of `postrider dev`"
)]
pub struct Args {
    /// Answer with JSON.
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub async fn run(globals: &Globals, args: &Args) -> anyhow::Result<ExitCode> {
    let mut config = match load(globals) {
        Ok(config) => config,
        Err(e) => return unusable(e, args),
    };
    if let Some(data) = &globals.data {
        super::domain::ask_the_zone_of_dev(&mut config, data);
    }
    let report = examine(&config, globals.data.is_some()).await;
    tell(&report, args)?;
    Ok(if report.worst() == Level::Fail { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Without a configuration there is nothing to look at; a script still gets its JSON.
fn unusable(error: anyhow::Error, args: &Args) -> anyhow::Result<ExitCode> {
    if !args.json || error.downcast_ref::<ConfigError>().is_none() {
        return Err(error);
    }
    let mut report = Report::default();
    report.fail(
        "configuration",
        "loads",
        error.to_string(),
        "correct it; `postrider config` prints every key with its default",
    );
    tell(&report, args)?;
    Ok(ExitCode::from(2))
}

/// The answer of `--json`.
#[derive(Serialize)]
struct View<'a> {
    /// The worst status of all.
    status: Level,
    checks: &'a [Check],
}

fn tell(report: &Report, args: &Args) -> anyhow::Result<()> {
    if args.json {
        return print_json(&View { status: report.worst(), checks: &report.checks });
    }
    print(&page(report, width().unwrap_or(120).min(140), Style::of_stdout()))
}

/// A line a check under its area's name, what to do below it.
fn page(report: &Report, width: usize, style: Style) -> String {
    let names = report.checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
    let indent = 2 + 4 + 2 + names + 2;
    let room = width.saturating_sub(indent).max(40);
    let mut text = String::new();
    let mut area = "";
    for check in &report.checks {
        if check.area != area {
            area = check.area;
            let gap = if text.is_empty() { "" } else { "\n" };
            text.push_str(&format!("{gap}{}\n", style.paint(Colour::Bold, area)));
        }
        let (word, colour) = match check.status {
            Level::Ok => ("ok  ", Colour::Green),
            Level::Warn => ("warn", Colour::Yellow),
            Level::Fail => ("FAIL", Colour::Red),
        };
        let mut found = wrap(&check.found, room).into_iter();
        let first = found.next().unwrap_or_default();
        text.push_str(&format!("  {}  {:names$}  {first}\n", style.paint(colour, word), check.name));
        for line in found {
            text.push_str(&format!("{:indent$}{line}\n", ""));
        }
        for (i, line) in check.advice.iter().flat_map(|advice| wrap(advice, room - 2)).enumerate() {
            let arrow = if i == 0 { style.paint(colour, "→") } else { " ".to_owned() };
            text.push_str(&format!("{:indent$}{arrow} {line}\n", ""));
        }
    }
    let (fails, warns) = (report.count(Level::Fail), report.count(Level::Warn));
    let said = match (fails, warns) {
        (0, 0) => "All is well.".to_owned(),
        (0, warns) => format!("{warns} to look at, nothing that fails."),
        (fails, 0) => format!("{fails} to mend."),
        (fails, warns) => format!("{fails} to mend, {warns} to look at."),
    };
    text.push_str(&format!("\n{said}\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_stands_below_what_was_found() {
        let mut report = Report::default();
        report.ok("queue", "reachable", "yes");
        report.warn("queue", "journal", "slow", "make it faster");
        let said = page(&report, 80, Style::PLAIN);
        let expected = "\
queue
  ok    reachable  yes
  warn  journal    slow
                   → make it faster

1 to look at, nothing that fails.
";
        assert_eq!(said, expected);
    }
}
