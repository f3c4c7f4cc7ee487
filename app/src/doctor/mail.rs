//! Mail: the relay, the senders, the keys that they sign with, and that the operators can be told when it fails.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use ::config::{Config, Relay, RelayTls};
use ::mail::{DkimKey, EmailAddress};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::{Report, milliseconds};
use crate::wire;

/// Looks at what mail needs.
pub async fn check(report: &mut Report, config: &Config, dev: bool) {
    let mail = &config.mail;
    match &mail.transport {
        None if dev => report.ok("mail", "relay", "the catcher of `postrider dev`, while that runs"),
        None => report.warn(
            "mail",
            "relay",
            "mail.transport is not set: mails wait",
            "set mail.transport, such as smtp+starttls://user:password@relay.example.com",
        ),
        Some(relay) => reach(report, "relay", relay, mail.timeouts.connect).await,
    }
    if let Some(relay) = &mail.fallback {
        reach(report, "second relay", relay, mail.timeouts.connect).await;
    }
    match wire::must_be_reachable(config) {
        Ok(()) => {}
        Err(usage) => report.fail("mail", "operators", usage.0, "`worker` and `api` do not start without"),
    }
    if let Err(usage) = wire::links_must_work(config) {
        report.fail("mail", "links", usage.0, "`worker` and `api` do not start without");
    }
    senders(report, config);
    for (name, dkim) in &mail.dkim {
        key(report, name, &dkim.key_file, dev);
    }
}

/// Whether somebody listens there; nothing is said to them.
async fn reach(report: &mut Report, which: &'static str, relay: &Relay, patience: Duration) {
    let begun = Instant::now();
    let connected = timeout(patience, TcpStream::connect((relay.host.as_str(), relay.port))).await;
    let advice = match which {
        "relay" => "see that mail.transport names it and that no firewall stands between; mail waits until then",
        _ => "see that mail.fallback names it and that no firewall stands between; nothing takes over until then",
    };
    match connected {
        Ok(Ok(stream)) => {
            let took = milliseconds(begun.elapsed());
            let far = stream.peer_addr().is_ok_and(|address| !address.ip().is_loopback());
            report.ok("mail", which, format!("{relay} takes connections, in {took}"));
            if far && relay.tls == RelayTls::None {
                report.warn(
                    "mail",
                    "relay encryption",
                    format!("mails and passwords go to {} in clear", relay.host),
                    "use smtp+starttls:// or smtps:// unless the network between is your own",
                );
            }
        }
        Ok(Err(e)) => report.fail("mail", which, format!("{relay}: {e}"), advice),
        Err(_) => report.fail("mail", which, format!("{relay}: no connection within {patience:?}"), advice),
    }
}

/// Every sender needs an address at a domain, and a key for that domain.
fn senders(report: &mut Report, config: &Config) {
    let mail = &config.mail;
    let bare: Vec<&str> = mail.senders.keys().map(String::as_str).filter(|name| mail.profile(name).is_none()).collect();
    if !bare.is_empty() {
        let found = format!("{} have no domain: their mails wait", bare.join(", "));
        let advice = "set mail.domain, or give the senders full addresses";
        // Without a relay nothing is sent anyway, and that is said above.
        match mail.transport.is_some() {
            true => report.fail("mail", "senders", found, advice),
            false => report.warn("mail", "senders", found, advice),
        }
    }
    let mut ready = Vec::new();
    for profile in mail.profiles() {
        let key = format!("mail.senders.{}", profile.name);
        if let Err(e) = EmailAddress::parse(&profile.address) {
            report.fail("mail", "senders", format!("{key}: {}: {e}", profile.address), "correct the address");
        } else if profile.dkim.is_none() {
            let found = format!("{key}: no key signs for {}: its mails wait", profile.domain);
            report.fail("mail", "senders", found, "add a table under [mail.dkim] with domain, selector and key_file");
        } else {
            ready.push(profile.address);
        }
    }
    if !ready.is_empty() {
        report.ok("mail", "senders", ready.join(", "));
    }
}

/// A key must be readable by us, by nobody else, and long enough (RFC 8301 §3.2).
fn key(report: &mut Report, name: &str, file: &Path, dev: bool) {
    let (what, shown) = (format!("key {name}"), file.display());
    let pem = match std::fs::read_to_string(file) {
        Ok(pem) => pem,
        Err(e) if dev && e.kind() == std::io::ErrorKind::NotFound => {
            return report.ok("mail", what, format!("{shown} is made by the first `postrider dev`"));
        }
        Err(e) => {
            let advice =
                "make it with `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048`, readable by postrider";
            return report.fail("mail", what, format!("{shown}: {e}"), advice);
        }
    };
    let public = match DkimKey::from_pem(&pem) {
        Ok(key) => key.public_txt(),
        Err(e) => {
            let advice = "it must be an RSA private key of 2048 bits or more, PKCS#8 PEM (BEGIN PRIVATE KEY)";
            return report.fail("mail", what, format!("{shown}: {e}"), advice);
        }
    };
    let bits = rsa_bits(&public);
    let mode = std::fs::metadata(file).map_or(0, |meta| meta.permissions().mode());
    if mode & 0o077 != 0 {
        let found = format!("{shown} can be read by others than its owner (mode {:o})", mode & 0o777);
        report.warn("mail", what, found, format!("chmod 600 {shown}: who has the key can send in your name"));
    } else if bits < 2_048 {
        report.warn(
            "mail",
            what,
            format!("{shown}: RSA, {bits} bits"),
            "make a new key of 2048 bits under another selector",
        );
    } else {
        report.ok("mail", what, format!("{shown}: RSA, {bits} bits"));
    }
}

/// The length of the key in a DKIM record. `p=` is the base64 of a SubjectPublicKeyInfo, which is 38 bytes and the
/// modulus for every usual length.
fn rsa_bits(record: &str) -> usize {
    let key = record.rsplit_once("p=").map_or("", |(_, key)| key);
    let der = key.trim_end_matches('=').len() * 3 / 4;
    der.saturating_sub(38) * 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_key_is_read_from_its_record() {
        let made = DkimKey::generate().unwrap();
        assert_eq!(rsa_bits(&made.public_txt()), 2_048);
    }
}
