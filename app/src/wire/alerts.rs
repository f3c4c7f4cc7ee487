//! The settings of alerts, as the clockwork uses them.

use std::sync::Arc;

use anyhow::Context as _;
use config::Config;
use outbound::{Client, SystemResolver};
use worker::alerts::{AlertRules, Post, Receiver, Storm};
use worker::notices::Webhook;

use super::gate::client;

/// Who is told of alerts, and when.
pub fn alert_rules(config: &Config) -> anyhow::Result<AlertRules> {
    let alerts = &config.alerts;
    let client = client(config, Arc::new(SystemResolver))?;
    let receivers = alerts.receivers(&config.mail).into_iter().map(|(name, receiver)| {
        let key = format!("alerts.receivers.{name}");
        receiver_of(&receiver, &client).context(key).map(|receiver| (name, receiver))
    });
    Ok(AlertRules {
        routes: alerts.tree(),
        receivers: receivers.collect::<anyhow::Result<_>>()?,
        inhibitions: alerts.inhibitions(),
        resolve_timeout: alerts.resolve_timeout,
        flap_window: alerts.flap_window,
        storm: Storm { incidents_per_minute: alerts.storm.incidents_per_minute, interval: alerts.storm.interval },
        mails_per_hour: alerts.cap.mails_per_hour,
        ..AlertRules::default()
    })
}

fn receiver_of(receiver: &config::Receiver, client: &Client) -> anyhow::Result<Receiver> {
    let post = |url: &config::WebhookUrl, secret: Option<&config::Secret>| {
        Webhook::new(url.expose(), secret.map(config::Secret::expose), client.clone())
            .map(|webhook| Arc::new(Post::new(webhook)))
            .map_err(anyhow::Error::msg)
    };
    let webhook = receiver.webhook.as_ref().map(|url| post(url, receiver.webhook_secret.as_ref()));
    let slack = receiver.slack.as_ref().map(|url| post(url, None));
    Ok(Receiver {
        emails: receiver.email.clone(),
        webhook: webhook.transpose().context("webhook_secret")?,
        slack: slack.transpose().context("slack")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_severity_reaches_somebody_by_default_and_receivers_keep_their_ways() {
        let set = |name: &str, value: &str| (format!("POSTRIDER__{name}"), value.to_owned());
        let config = Config::load(
            None,
            [
                set("ALERTS__EMAIL", "ops@example.com,ana@example.com"),
                set("ALERTS__WEBHOOK", "https://hooks.example.net/x"),
                set("ALERTS__SLACK", "https://chat.example.net/y"),
            ],
        )
        .unwrap();
        let rules = alert_rules(&config).unwrap();
        let operators = rules.receiver(config::OPERATORS).unwrap();
        assert_eq!(operators.emails, ["ops@example.com", "ana@example.com"]);
        assert!(operators.webhook.is_some() && operators.slack.is_some());
        assert!(rules.routes.all().iter().all(|route| rules.receiver(&route.receiver).is_some()));
    }
}
