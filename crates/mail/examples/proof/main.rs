//! Mails for verifiers that are not ours: every template in every language, built, signed, and handed over.
//!
//! ```text
//! proof write DIR            the mails as DIR/*.eml, the zone as DIR/zone.txt
//! proof serve DIR            the same, and the zone over DNS: DIR/dns holds the address; until standard input ends
//! proof send DIR HOST:PORT   the mails of DIR over SMTP, through our transport; then damaged ones, which must be refused
//! ```
//!
//! `.ci/verify` calls it: dkimpy reads the files, Postfix with OpenDKIM takes the mails or refuses them. A new key is made
//! each time; nothing here leaves the machine.

mod damage;
mod mails;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mail::zone::{DEV_DOMAIN, bounce_domain, dev_zone, ehlo_name};
use mail::{DkimKey, DkimSigner, DnsServer, EmailAddress, Envelope, RelayConfig, SendErrorKind, SmtpTransport, Zone};

/// Where the key stands in DNS.
const SELECTOR: &str = "proof";

/// What goes wrong ends the run with its reason.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["write", dir] => write(Path::new(dir)).map(|_| ()),
        ["serve", dir] => serve(Path::new(dir)).await,
        ["send", dir, to] => send(Path::new(dir), to).await,
        _ => Err("usage: proof write DIR | serve DIR | send DIR HOST:PORT".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("proof: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes the mails and the zone.
fn write(dir: &Path) -> Outcome<Zone> {
    let key = DkimKey::generate()?;
    let signer = DkimSigner::new(&key, DEV_DOMAIN, SELECTOR)?;
    let zone = dev_zone(DEV_DOMAIN, SELECTOR, &key.public_txt())?;
    std::fs::create_dir_all(dir)?;
    let mut written = 0;
    for (name, message) in mails::all(&signer)? {
        std::fs::write(dir.join(format!("{name}.eml")), message)?;
        written += 1;
    }
    std::fs::write(dir.join("zone.txt"), zone.to_string())?;
    println!("{written} mails in {}", dir.display());
    Ok(zone)
}

async fn serve(dir: &Path) -> Outcome<()> {
    let server = DnsServer::start(write(dir)?).await?;
    // Under another name first: who waits for the file finds it whole.
    std::fs::write(dir.join("dns.new"), server.addr().to_string())?;
    std::fs::rename(dir.join("dns.new"), dir.join("dns"))?;
    tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await?;
    Ok(())
}

/// Sends what was written, then the damaged ones.
async fn send(dir: &Path, at: &str) -> Outcome<()> {
    let at: SocketAddr = at.parse()?;
    let transport = SmtpTransport::new(RelayConfig::plain(at, &ehlo_name(DEV_DOMAIN)))?;
    let to = |recipient: &str| -> Outcome<Envelope> {
        let from = EmailAddress::parse(&format!("bounces@{}", bounce_domain(DEV_DOMAIN)))?;
        Ok(Envelope { from: Some(from), to: EmailAddress::parse(recipient)? })
    };
    let envelope = to(mails::RECIPIENT)?;
    let agreed = async || Ok::<(), String>(());
    let mut failed = 0;

    let files = eml_files(dir)?;
    for file in &files {
        let message = std::fs::read(file)?;
        let head = message.split(|byte| *byte == b'\n').take_while(|line| *line != b"\r");
        // Under SMTPUTF8, by its header and by its recipient.
        let international = head.into_iter().any(|line| !line.is_ascii());
        let envelope = if international { to(mails::INTERNATIONAL)? } else { envelope.clone() };
        if let Err(error) = transport.send(&envelope, &message, agreed).await {
            failed += 1;
            println!("refused, and should not be: {}: {error}", file.display());
        }
    }
    println!("{} of {} mails accepted", files.len() - failed, files.len());

    let sample = std::fs::read(dir.join("booking_confirmed_student.en.eml"))?;
    let mut taken = 0;
    let damaged = damage::all(&sample)?;
    for (how, message) in &damaged {
        match transport.send(&envelope, message, agreed).await {
            Err(error) if error.kind != SendErrorKind::Aborted && error.is_permanent() => {
                println!("refused as it should be: {how}: {} {}", error.code.unwrap_or_default(), error.text);
            }
            Err(error) => {
                taken += 1;
                println!("not refused for good: {how}: {error}");
            }
            Ok(_) => {
                taken += 1;
                println!("accepted, and should not be: {how}");
            }
        }
    }
    if failed + taken > 0 || files.is_empty() {
        return Err(
            format!("{failed} good mails refused, {taken} of {} damaged ones not refused", damaged.len()).into()
        );
    }
    Ok(())
}

fn eml_files(dir: &Path) -> Outcome<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    files.sort();
    Ok(files)
}
