//! The way out for mail: senders with their keys, and the relay.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context as _;
use config::{Config, Mail, Profile, Relay};
use mail::{DkimKey, DkimSigner, EmailAddress, RecipientRule, Renderer, SenderProfile, SmtpTransport};
use secrecy::SecretString;
use store::Category;
use worker::Mailer;
use worker::mailer::{Fallback, Sender};
use worker::pace::Paces;

/// The way out for mail; `None` without a relay or without a sender that can sign.
pub(super) fn mailer(config: &Config) -> anyhow::Result<Option<Mailer>> {
    let mail = &config.mail;
    let Some(relay) = &mail.transport else { return Ok(None) };
    let mut senders = HashMap::new();
    for profile in mail.profiles() {
        if let Some(sender) = sender(mail, &profile)? {
            senders.insert(profile.name, sender);
        }
    }
    let Some(ehlo_name) = mail.ehlo_name().filter(|_| !senders.is_empty()) else { return Ok(None) };
    let second = mail.fallback.as_ref().map(|relay| SmtpTransport::new(relay_config(mail, relay, ehlo_name.clone())));
    let fallback = second.transpose().context("mail.fallback")?.map(Fallback::new);
    let transport = SmtpTransport::new(relay_config(mail, relay, ehlo_name)).context("mail.transport")?;
    let renderer = Arc::new(Renderer::new(mail.templates_dir.as_deref()).context("mail.templates_dir")?);
    let gate = super::gate::gate(config)?.equipped(senders.keys().map(String::as_str), renderer.names());
    let gate = Arc::new(gate);
    let recipients = recipients(mail)?;
    Ok(Some(Mailer { renderer, senders, gate, recipients, transport, fallback, paces: Paces::default() }))
}

/// The sender; none without a key that signs for its domain.
fn sender(mail: &Mail, profile: &Profile) -> anyhow::Result<Option<Sender>> {
    let Some(dkim) = &profile.dkim else { return Ok(None) };
    let file = &dkim.key_file;
    let pem = std::fs::read_to_string(file).with_context(|| format!("mail.dkim: {}", file.display()))?;
    let key = DkimKey::from_pem(&pem).with_context(|| format!("mail.dkim: {}", file.display()))?;
    let address = |text: &str| EmailAddress::parse(text).with_context(|| format!("mail.senders.{}", profile.name));
    Ok(Some(Sender {
        signer: Arc::new(DkimSigner::new(&key, &profile.domain, &dkim.selector)?),
        bounce: address(&format!("bounces@{}", mail.bounce_domain(&profile.domain)))?,
        category: category(profile.class),
        profile: SenderProfile {
            key: profile.name.clone(),
            address: address(&profile.address)?,
            display_name: Some(profile.display_name.clone()).filter(|name| !name.is_empty()),
            reply_to: profile.reply_to.as_deref().map(address).transpose()?,
            dkim_selector: dkim.selector.clone(),
        },
    }))
}

/// To whom mail may leave.
fn recipients(mail: &Mail) -> anyhow::Result<RecipientRule> {
    let patterns = |all: &Vec<String>| all.iter().map(|text| text.parse()).collect::<Result<_, _>>();
    Ok(RecipientRule {
        allow: mail.allow_recipients.as_ref().map(patterns).transpose().context("mail.allow_recipients")?,
        redirect_to: mail.redirect_to.as_deref().map(EmailAddress::parse).transpose().context("mail.redirect_to")?,
    })
}

fn category(class: config::MailClass) -> Category {
    match class {
        config::MailClass::Booking => Category::Booking,
        config::MailClass::Account => Category::Account,
        config::MailClass::Security => Category::Security,
        config::MailClass::Alert => Category::Alert,
        config::MailClass::Report => Category::Report,
    }
}

fn relay_config(mail: &Mail, relay: &Relay, ehlo_name: String) -> mail::RelayConfig {
    let credentials = relay.user.clone().zip(relay.password.as_ref()).map(|(username, password)| mail::Credentials {
        username,
        password: SecretString::from(password.expose().to_owned()),
    });
    let waits = &mail.timeouts;
    mail::RelayConfig {
        name: super::gate::relay_name(relay),
        host: relay.host.clone(),
        port: relay.port,
        security: match relay.tls {
            config::RelayTls::None => mail::Security::Plain,
            config::RelayTls::StartTls => mail::Security::StartTls,
            config::RelayTls::Implicit => mail::Security::ImplicitTls,
        },
        credentials,
        ehlo_name,
        timeouts: mail::Timeouts {
            connect: waits.connect,
            greeting: waits.greeting,
            command: waits.command,
            data: waits.data,
            body: waits.body,
            dot: waits.dot,
        },
        max_connections: mail.max_connections as usize,
        max_messages_per_connection: mail.max_messages,
        max_idle: mail.idle_timeout,
        roots: mail::TlsRoots::System,
    }
}
