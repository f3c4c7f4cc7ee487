//! The operators: how they are told of what goes wrong, and that there is a way at all.

use std::sync::Arc;

use anyhow::Context as _;
use config::Config;
use job::{Clock, IdSource};
use outbound::SystemResolver;
use queue::Broker;
use worker::Notices;
use worker::notices::Webhook;

use super::gate::client;
use crate::commands::Usage;

/// Notices, posted where a webhook is configured.
pub(super) fn notices(
    config: &Config,
    broker: &Arc<dyn Broker>,
    ids: &Arc<IdSource>,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Notices> {
    Ok(match webhook(config)? {
        Some(webhook) => Notices::posted(Arc::clone(broker), Arc::clone(ids), Arc::clone(clock), webhook),
        None => Notices::default(),
    })
}

/// The operators' webhook, where one is configured.
pub(super) fn webhook(config: &Config) -> anyhow::Result<Option<Webhook>> {
    let Some(url) = &config.alerts.webhook else { return Ok(None) };
    let secret = config.alerts.webhook_secret.as_ref().map(config::Secret::expose);
    let client = client(config, Arc::new(SystemResolver))?;
    let webhook =
        Webhook::new(url.expose(), secret, client).map_err(anyhow::Error::msg).context("alerts.webhook_secret")?;
    Ok(Some(webhook))
}

/// Refuses to start where mail may leave and nobody would be told when it fails: mail cannot tell of itself, and neither
/// can a webhook at a host of the domain that failed.
pub fn must_be_reachable(config: &Config) -> Result<(), Usage> {
    if config.mail.transport.is_none() || config.alerts.mail_only {
        return Ok(());
    }
    let Some(webhook) = &config.alerts.webhook else {
        return Err(Usage(
            "alerts.webhook is not set: when mail fails nobody would be told. Set it to an https:// URL that takes a POST, \
             or say on purpose that mail is the only way to you: alerts.mail_only = true"
                .to_owned(),
        ));
    };
    let organisation = |domain: &str| psl::domain_str(domain).unwrap_or(domain).to_owned();
    let host = organisation(webhook.host());
    let senders = config.mail.profiles().map(|profile| profile.domain.to_ascii_lowercase());
    match senders.into_iter().find(|domain| organisation(domain) == host) {
        None => Ok(()),
        Some(domain) => Err(Usage(format!(
            "alerts.webhook is at {}, which belongs with the senders' domain {domain}: what breaks the one breaks the \
             other. Use a host elsewhere, or say on purpose that nothing else is there: alerts.mail_only = true",
            webhook.host()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(set: &[(&str, &str)]) -> Config {
        let key = "0123456789abcdef".repeat(4);
        let always = [
            ("MAIL__TRANSPORT", "smtp://127.0.0.1"),
            ("MAIL__DOMAIN", "shop.example.co.uk"),
            ("SECRETS__KEYS__K1", &key),
        ];
        let set = always.iter().chain(set).map(|(name, value)| (format!("POSTRIDER__{name}"), (*value).to_owned()));
        Config::load(None, set).unwrap()
    }

    #[test]
    fn mail_may_leave_only_if_somebody_can_be_told() {
        let said = |set: &[(&str, &str)]| must_be_reachable(&config(set)).map_err(|usage| usage.0);
        assert!(said(&[]).unwrap_err().contains("alerts.webhook is not set"));
        assert_eq!(said(&[("ALERTS__MAIL_ONLY", "true")]), Ok(()));
        assert_eq!(said(&[("ALERTS__WEBHOOK", "https://hooks.example.net/x")]), Ok(()));
        assert_eq!(said(&[("ALERTS__WEBHOOK", "https://hooks.other.co.uk/x")]), Ok(()));
        let same = said(&[("ALERTS__WEBHOOK", "https://hooks.example.co.uk/x")]).unwrap_err();
        assert!(same.contains("shop.example.co.uk"), "{same}");
        assert!(must_be_reachable(&Config::load(None, []).unwrap()).is_ok(), "without a relay nothing leaves");
    }
}
