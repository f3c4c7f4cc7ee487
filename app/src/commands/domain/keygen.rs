//! `postrider domain keygen`: a DKIM key of 2048 bits, and the record that publishes it.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use mail::DkimKey;
use mail::gate::Publish;
use secrecy::ExposeSecret;
use serde::Serialize;

use super::{domain, now};
use crate::output::{hint, print, print_json};

/// Which key to make.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Standard output is the record, as zone files want it. Whoever has the private key can send in the domain's name:
keep the file readable for postrider alone.

Examples:
  postrider domain keygen example.com
  postrider domain keygen example.com --selector s2 --out /etc/postrider/dkim-s2.pem"
)]
pub struct Args {
    /// The domain that the key signs for
    #[arg(value_name = "DOMAIN", value_parser = domain)]
    domain: String,
    /// The selector to publish it under; s and today's date unless given
    #[arg(long, value_name = "NAME", value_parser = selector)]
    selector: Option<String>,
    /// The file for the private key; dkim-DOMAIN-SELECTOR.pem unless given. One that is there is not overwritten
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Answer with JSON
    #[arg(long)]
    json: bool,
}

/// A key that was made.
#[derive(Debug, Serialize)]
pub struct Made {
    /// The domain that it signs for.
    pub domain: String,
    /// Its selector.
    pub selector: String,
    /// Where the private half is.
    pub key_file: PathBuf,
    /// Where the record goes.
    pub name: String,
    /// The record's text, in one piece.
    pub value: String,
    /// The record as a line of a zone file.
    pub line: String,
}

fn selector(text: &str) -> Result<String, String> {
    let fits = (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-');
    if fits {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("a DNS label like s1 is expected (RFC 6376 §3.1)".to_owned())
    }
}

/// `s20261124`: a selector says when its key was made.
pub fn dated_selector() -> String {
    format!("s{}", now().strftime("%Y%m%d"))
}

/// Runs it.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let selector = args.selector.clone().unwrap_or_else(dated_selector);
    let file = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("dkim-{}-{selector}.pem", args.domain)));
    let key = DkimKey::generate()?;
    write_private(&file, key.to_pem().expose_secret())?;
    let made = Made::new(&args.domain, &selector, &file, &key);
    if args.json {
        print_json(&made)?;
    } else {
        print(&format!("{}\n", made.line))?;
        hint(&made.next_steps());
    }
    Ok(ExitCode::SUCCESS)
}

impl Made {
    /// A key in a file, and its record.
    pub fn new(domain: &str, selector: &str, file: &Path, key: &DkimKey) -> Self {
        let name = format!("{selector}._domainkey.{domain}");
        let value = key.public_txt();
        let record = Publish { name: name.clone(), kind: "TXT".to_owned(), value: value.clone() };
        Self {
            domain: domain.to_owned(),
            selector: selector.to_owned(),
            key_file: file.to_owned(),
            name,
            value,
            line: record.zone_line(),
        }
    }

    /// What to do with it.
    pub fn next_steps(&self) -> String {
        let table: String = self.selector.chars().filter(|c| *c != '-').collect();
        format!(
            "\nThe private key is in {file}.\n\
             Publish the record above, and add to the configuration of all processes:\n\n  \
             [mail.dkim.{table}]\n  domain = \"{domain}\"\n  selector = \"{selector}\"\n  key_file = \"{file}\"\n\n\
             Then: postrider domain check {domain}",
            file = self.key_file.display(),
            domain = self.domain,
            selector = self.selector,
        )
    }
}

/// Writes a file that only its owner can read; one that is there is left as it is.
pub fn write_private(file: &Path, text: &str) -> anyhow::Result<()> {
    let told = || format!("the key file {}", file.display());
    let mut written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).with_context(told)?;
    written.write_all(text.as_bytes()).with_context(told)?;
    written.sync_all().with_context(told)
}

#[cfg(test)]
mod tests {
    use super::selector;

    #[test]
    fn a_selector_is_a_label() {
        assert_eq!(selector("S1-a").unwrap(), "s1-a");
        for bad in ["", "a.b", "-a", "a-", "a_b", &"x".repeat(64)] {
            assert!(selector(bad).is_err(), "{bad}");
        }
    }
}
