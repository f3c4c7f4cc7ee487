//! `postrider domain rotate`: from one DKIM key to another, without a mail that cannot be verified.
//!
//! 1. Without a second key in the configuration one is made, and its record shown. Publish it, configure it everywhere. That
//!    the first one signs is noted in the store, for two tables say nothing of which is meant.
//! 2. With one, its record is verified in the live DNS, a signed probe included. If it is good, the store notes that it
//!    signs from now on; within seconds every worker signs with it. If not, nothing changes.
//! 3. The record of the first stays for seven days: mail on its way is verified when it arrives. `domain check` says so.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use config::Config;
use job::clock::after;
use mail::DkimKey;
use mail::gate::{Depth, KeyUse, Report, Severity};
use secrecy::ExposeSecret;
use serde::Serialize;
use store::{Domain, Store};
use worker::gate::Plan;
use worker::gate::plan::KEPT_AFTER_ROTATION;

use super::keygen::{Made, dated_selector, write_private};
use super::{check, domain, now, unknown};
use crate::commands::reach::{at_store, store};
use crate::output::{hint, print, print_json};
use crate::wire;

/// How often the row is read again when a check was quicker.
const TRIES: usize = 8;

/// What to rotate.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code 0 if a step was done (`step` in the JSON: `publish`, then `switched`); 1 if the new key is not published as
it should be, and nothing was changed.

Examples:
  postrider domain rotate example.com          makes the second key, and shows what to publish
  postrider domain rotate example.com          once it is published and configured: switches"
)]
pub struct Args {
    /// The domain
    #[arg(value_name = "DOMAIN", value_parser = domain)]
    domain: String,
    /// The selector to switch to, where several wait; or the former one, to go back
    #[arg(long, value_name = "NAME")]
    to: Option<String>,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

/// The answer of `--json` after a switch.
#[derive(Serialize)]
struct Switched<'a> {
    step: &'static str,
    domain: &'a str,
    from: &'a str,
    to: &'a str,
    /// Until then the first record has to stay.
    keep_until: String,
}

/// The answer of `--json` after a key was made.
#[derive(Serialize)]
struct ToPublish<'a> {
    step: &'static str,
    #[serde(flatten)]
    made: &'a Made,
}

/// Runs it.
pub async fn run(config: &Config, args: &Args) -> anyhow::Result<ExitCode> {
    let plans = wire::plans(&config.mail)?;
    let Some(plan) = plans.iter().find(|plan| plan.domain == args.domain) else {
        let known = plans.iter().map(|plan| plan.domain.clone());
        return Err(unknown(format!("no sender is at {}", args.domain), known).into());
    };
    let store = store(config).await.map_err(|e| at_store(e, config))?;
    let done = rotate(config, args, plan, &store).await;
    store.close().await;
    done.map_err(|e| at_store(e, config))
}

async fn rotate(config: &Config, args: &Args, plan: &Plan, store: &Store) -> anyhow::Result<ExitCode> {
    let stored = store.domain(&plan.domain).await?;
    let Some(from) = signs_now(plan, stored.as_ref()) else {
        bail!("no key signs for {}: make one with `postrider domain keygen {0}`", plan.domain);
    };
    let waiting: Vec<&str> = plan
        .keys
        .iter()
        .map(|key| key.selector.as_str())
        .filter(|selector| plan.used(selector, stored.as_ref(), now()) == KeyUse::Next)
        .collect();
    let is_configured = |selector: &str| plan.keys.iter().any(|key| key.selector == selector);
    let to = match (&args.to, waiting.as_slice()) {
        (Some(to), _) if *to == from => bail!("--to {to}: this key signs already"),
        // One that signed before, too: what the DNS says of it decides.
        (Some(to), _) if is_configured(to) => to.clone(),
        (Some(to), _) => bail!("--to {to}: there is no such key; add it under [mail.dkim] first"),
        (None, []) => {
            // Before the configuration has two: which of them comes first there must not decide.
            pin(store, plan, stored, &from).await?;
            return make(config, args, &from);
        }
        (None, [one]) => (*one).to_owned(),
        (None, several) => bail!("several keys wait ({}): name one with --to", several.join(", ")),
    };
    let report = verified(config, plan, &to).await?;
    if report.worst() >= Severity::Unclear {
        check::tell(&report, args.json)?;
        hint(&format!("\nNothing was changed: {from} signs on. Publish the record of {to} and try again."));
        return Ok(ExitCode::from(1));
    }
    pin(store, plan, stored, &from).await?;
    if !store.switch_selector(&plan.domain, &from, &to, now()).await? {
        bail!("another rotation was quicker: look with `postrider domain check {}`", plan.domain);
    }
    let keep_until = after(now(), KEPT_AFTER_ROTATION).strftime("%Y-%m-%d").to_string();
    if args.json {
        let switched = Switched { step: "switched", domain: &plan.domain, from: &from, to: &to, keep_until };
        print_json(&switched)?;
        return Ok(ExitCode::SUCCESS);
    }
    print(&format!(
        "{to} signs for {} now; workers follow within seconds.\n\
         Keep the record of {from} until {keep_until}, and its key in the configuration as long.\n",
        plan.domain
    ))?;
    if !plan.pinned.is_empty() {
        let names: Vec<&str> = plan.pinned.iter().map(String::as_str).collect();
        hint(&format!("These senders name their selector and do not follow: {}", names.join(", ")));
    }
    Ok(ExitCode::SUCCESS)
}

/// Notes that `from` signs, until it is switched.
async fn pin(store: &Store, plan: &Plan, mut stored: Option<Domain>, from: &str) -> anyhow::Result<()> {
    for _ in 0..TRIES {
        let domain = stored.unwrap_or_else(|| Domain::unknown(&plan.domain));
        let pinned = Domain { selector: Some(from.to_owned()), ..domain.clone() };
        if domain.selector == pinned.selector || store.save_domain(&pinned, None, now()).await? {
            return Ok(());
        }
        stored = store.domain(&plan.domain).await?;
        if signs_now(plan, stored.as_ref()).as_deref() != Some(from) {
            break;
        }
    }
    bail!("another rotation was quicker: look with `postrider domain check {}`", plan.domain)
}

/// The selector of the senders that follow a rotation.
fn signs_now(plan: &Plan, stored: Option<&Domain>) -> Option<String> {
    let rotated = stored.and_then(|stored| stored.selector.clone());
    rotated.filter(|to| plan.keys.iter().any(|key| key.selector == *to)).or_else(|| plan.selectors.first().cloned())
}

/// What the DNS says of the key that is to sign.
async fn verified(config: &Config, plan: &Plan, to: &str) -> anyhow::Result<Report> {
    let mut subject = plan.subject(None, now());
    subject.keys.retain(|key| key.selector == to);
    for key in &mut subject.keys {
        key.used = KeyUse::Signs;
    }
    let mut report = mail::gate::check(&subject, &wire::resolver(config)?, Depth::Records, now()).await;
    // Only the key is in question here.
    report.findings.retain(|finding| finding.rule.starts_with("dkim."));
    Ok(report)
}

/// Makes the second key, beside the first. One that was made before and is not configured yet is shown again.
fn make(config: &Config, args: &Args, from: &str) -> anyhow::Result<ExitCode> {
    let selector = match dated_selector() {
        today if today == from => format!("{today}b"),
        today => today,
    };
    let beside = config.mail.dkim.values().find(|key| key.selector == from).map(|key| key.key_file.clone());
    let folder = beside.as_deref().and_then(|file| file.parent()).map(PathBuf::from).unwrap_or_default();
    let file = folder.join(format!("dkim-{}-{selector}.pem", args.domain));
    let key = match std::fs::read_to_string(&file) {
        Ok(pem) => DkimKey::from_pem(&pem)?,
        Err(_) => {
            let key = DkimKey::generate()?;
            write_private(&file, key.to_pem().expose_secret())?;
            key
        }
    };
    let made = Made::new(&args.domain, &selector, &file, &key);
    if args.json {
        print_json(&ToPublish { step: "publish", made: &made })?;
    } else {
        print(&format!("{}\n", made.line))?;
        hint(&made.next_steps());
        hint(&format!("and, when it says that {selector} is in order: postrider domain rotate {}", args.domain));
        hint(&format!(
            "Until then {from} signs on, wherever the new table stands: that is noted in the store. A sender needs no `selector`."
        ));
    }
    Ok(ExitCode::SUCCESS)
}
