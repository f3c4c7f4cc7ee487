//! `postrider templates`: what mails say.
//!
//! `list` and `preview` show the templates that this configuration would send, `mail.templates_dir` included; `check` looks
//! for faults in them, in every language, and is meant for the build of whoever overrides some.

mod preview;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use mail::render::{Finding, check};
use mail::{Locale, Renderer};
use serde::Serialize;

use super::load;
use crate::cli::Globals;
use crate::output::{Cell, Colour, Column, List, Table, hint, one_line, print, print_json, print_table};

/// What to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  postrider templates list
  postrider templates check
  postrider templates preview booking_reminder_student --locale de")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Lists the templates with their languages and the subject of their sample
    #[command(after_help = "Examples:
  postrider templates list
  postrider templates list --json")]
    List(ListArgs),
    /// Fills every template strictly with its sample, in every language, and names what is wrong
    #[command(after_help = "Exit code 1 if something is wrong, with file and line of each fault.

Examples:
  postrider templates check
  POSTRIDER__MAIL__TEMPLATES_DIR=./our-templates postrider templates check")]
    Check(CheckArgs),
    /// Writes a template, filled with its sample, as HTML, text and .eml, and opens it
    #[command(after_help = "In a terminal the HTML is opened; with --out the files are only written.

Examples:
  postrider templates preview welcome
  postrider templates preview booking_confirmed_student --locale de --out ./previews")]
    Preview(preview::Args),
}

/// How to list.
#[derive(Debug, clap::Args)]
struct ListArgs {
    /// JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// How to check.
#[derive(Debug, clap::Args)]
struct CheckArgs {
    /// JSON instead of lines
    #[arg(long)]
    json: bool,
}

/// A template, for scripts.
#[derive(Debug, Serialize)]
struct TemplateView<'a> {
    name: &'a str,
    locales: Vec<&'a str>,
    subject: String,
}

/// A fault, for scripts.
#[derive(Debug, Serialize)]
struct FindingView<'a> {
    file: &'a str,
    line: Option<usize>,
    problem: &'a str,
}

impl<'a> From<&'a Finding> for FindingView<'a> {
    fn from(found: &'a Finding) -> Self {
        Self { file: &found.file, line: found.line, problem: &found.problem }
    }
}

/// Runs it.
pub fn run(globals: &Globals, args: &Args) -> anyhow::Result<ExitCode> {
    let dir = load(globals)?.mail.templates_dir;
    match &args.command {
        Command::List(args) => list(&renderer(dir)?, args),
        Command::Check(args) => look(dir, args),
        Command::Preview(args) => preview::run(&renderer(dir)?, args),
    }
}

fn renderer(dir: Option<PathBuf>) -> anyhow::Result<Renderer> {
    Renderer::new(dir.as_deref()).context("the templates cannot be loaded; `postrider templates check` tells more")
}

fn list(renderer: &Renderer, args: &ListArgs) -> anyhow::Result<ExitCode> {
    let english = Locale::english();
    let views = renderer.names().into_iter().map(|name| {
        let sample = renderer.sample(name, &english).context("a template has a sample")?;
        let subject = renderer.render(name, &english, sample)?.subject;
        Ok(TemplateView { name, locales: renderer.locales(name), subject })
    });
    let views = views.collect::<anyhow::Result<Vec<_>>>()?;
    if args.json {
        print_json(&List::whole(views))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(["NAME", "LANGUAGES", "SUBJECT OF THE SAMPLE"].map(Column::left));
    for view in &views {
        let languages = Cell::new(view.locales.join(" "), Colour::Dim);
        table.row([view.name.into(), languages, one_line(&view.subject).into()]);
    }
    print_table(&table)?;
    Ok(ExitCode::SUCCESS)
}

fn look(dir: Option<PathBuf>, args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let (findings, looked_at) = check(dir.as_deref()).context("mail.templates_dir")?;
    let code = if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) };
    if args.json {
        print_json(&List::whole(findings.iter().map(FindingView::from)))?;
        return Ok(code);
    }
    for found in &findings {
        let line = found.line.map(|line| format!(":{line}")).unwrap_or_default();
        print(&format!("{}{line}: {}\n", found.file, one_line(&found.problem)))?;
    }
    match findings.len() {
        0 => hint(&format!("{looked_at} mails (templates times languages) are in order")),
        n => hint(&format!("{n} faults in {looked_at} mails (templates times languages)")),
    }
    Ok(code)
}
