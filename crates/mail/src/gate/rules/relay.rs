//! The relay: whether mail reaches it encrypted.

use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::gate::report::{Finding, Rule, Severity};
use crate::gate::subject::{RelayLink, Subject};

const ENCRYPTION: Rule = Rule { id: "relay.encryption", broken: Severity::Warn, source: "RFC 3207" };

/// The rules of this family.
pub const RULES: &[Rule] = &[ENCRYPTION];

/// How long the relay may take for its greeting and its answer to EHLO.
const PATIENCE: Duration = Duration::from_secs(5);
/// Lines of an answer that are read at most.
const MOST_LINES: usize = 100;

/// Looks at the way to each relay, and asks the relay what it offers.
pub(in crate::gate) async fn check(subject: &Subject) -> Vec<Finding> {
    let mut findings = Vec::new();
    for route in &subject.routes {
        findings.push(match &route.link {
            Some(link) => one(link, &subject.helo).await.by(subject.mark(route)),
            None => ENCRYPTION.says(Severity::Info, &subject.domain, "mail.transport is not set: nothing is sent"),
        });
    }
    findings
}

async fn one(relay: &RelayLink, helo: &str) -> Finding {
    let place = format!("{}:{}", relay.host, relay.port);
    if relay.implicit_tls {
        return ENCRYPTION.kept(&place, "TLS from the first byte");
    }
    let offers = match timeout(PATIENCE, offers_starttls(relay, helo)).await {
        Ok(Ok(offers)) => offers,
        Ok(Err(error)) => return ENCRYPTION.says(Severity::Info, &place, format!("not asked: {error}")),
        Err(_) => return ENCRYPTION.says(Severity::Info, &place, "not asked: it does not answer in time"),
    };
    let near = relay.host == "localhost" || relay.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match (relay.encrypted, offers, near) {
        (true, true, _) => ENCRYPTION.kept(&place, "it offers STARTTLS, and nothing is sent without"),
        (true, false, _) => ENCRYPTION.broken(&place, "it does not offer STARTTLS: nothing can be sent"),
        (false, _, true) => ENCRYPTION.kept(&place, "on this machine: no encryption is needed"),
        (false, true, false) => ENCRYPTION.broken(&place, "mail goes in clear, although it offers STARTTLS"),
        (false, false, false) => ENCRYPTION.broken(&place, "mail goes in clear: it offers no STARTTLS"),
    }
}

/// Says EHLO and QUIT, nothing more.
async fn offers_starttls(relay: &RelayLink, helo: &str) -> std::io::Result<bool> {
    let stream = TcpStream::connect((relay.host.as_str(), relay.port)).await?;
    let mut stream = BufReader::new(stream);
    answer(&mut stream).await?;
    stream.write_all(format!("EHLO {helo}\r\n").as_bytes()).await?;
    let offers = answer(&mut stream).await?;
    stream.write_all(b"QUIT\r\n").await?;
    Ok(offers.iter().any(|line| line.get(4..).is_some_and(|word| word.trim().eq_ignore_ascii_case("STARTTLS"))))
}

/// The lines of one answer.
async fn answer(stream: &mut BufReader<TcpStream>) -> std::io::Result<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        let read = stream.read_line(&mut line).await?;
        let last = line.as_bytes().get(3) != Some(&b'-');
        lines.push(line);
        if read == 0 || lines.len() > MOST_LINES {
            return Err(std::io::Error::other("it does not speak SMTP"));
        }
        if last {
            return Ok(lines);
        }
    }
}
