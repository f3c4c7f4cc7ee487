//! The gate: what each sender's domain will look like to a receiver, and whom to ask about it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use config::{Config, Dkim, Mail, Relay, RelayTls};
use mail::gate::{RelayLink, Route};
use mail::{DkimKey, DkimSigner, Dns};
use outbound::{Client, IpNet, Resolve, Settings, SystemResolver};
use worker::Gate;
use worker::gate::{Plan, PlannedKey};

/// How long a name may take to resolve for a call over HTTP.
const RESOLVE: Duration = Duration::from_secs(5);

/// The gate of this process.
pub fn gate(config: &Config) -> anyhow::Result<Gate> {
    let dns = resolver(config)?;
    let names: Arc<dyn Resolve> = match config.mail.dns.servers.is_empty() {
        true => Arc::new(SystemResolver),
        false => Arc::new(Names(dns.clone())),
    };
    Ok(Gate::new(dns, client(config, names)?, plans(&config.mail)?))
}

/// Whom to ask about domains.
pub fn resolver(config: &Config) -> anyhow::Result<Dns> {
    let servers: Vec<SocketAddr> = config.mail.dns.servers.iter().map(|server| server.0).collect();
    Dns::new(&servers).context("mail.dns.servers")
}

/// What calls other people's servers.
pub fn client(config: &Config, names: Arc<dyn Resolve>) -> anyhow::Result<Client> {
    let mut settings = Settings::default();
    for listed in &config.outbound.allow {
        let network = listed.parse::<IpNet>().or_else(|_| listed.parse::<IpAddr>().map(IpNet::from));
        settings.allow.push(network.with_context(|| format!("outbound.allow: {listed}"))?);
    }
    if let Some(file) = &config.outbound.ca_file {
        let pem = std::fs::read(file).with_context(|| format!("outbound.ca_file: {}", file.display()))?;
        settings.extra_roots = Some(pem);
    }
    Ok(Client::new(settings, names))
}

/// Names as the name servers of the configuration know them.
struct Names(Dns);

#[async_trait::async_trait]
impl Resolve for Names {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        self.0.lookups(RESOLVE).all_addresses(host).await.map_err(io::Error::other)
    }
}

/// One plan a domain that a sender is at.
pub fn plans(mail: &Mail) -> anyhow::Result<Vec<Plan>> {
    let mut plans: BTreeMap<String, Plan> = BTreeMap::new();
    for profile in mail.profiles() {
        let domain = profile.domain.to_ascii_lowercase();
        let plan = match plans.remove(&domain) {
            Some(plan) => plan,
            None => new_plan(mail, &domain)?,
        };
        let mut plan = plan;
        plan.senders.push(profile.name.clone());
        plan.selectors.extend(profile.dkim.iter().map(|dkim| dkim.selector.clone()));
        if mail.senders.get(&profile.name).is_some_and(|sender| sender.selector.is_some()) {
            plan.pinned.insert(profile.name.clone());
        }
        let reply = profile.reply_to.as_deref().and_then(|address| address.rsplit_once('@')).map(|(_, domain)| domain);
        if let Some(reply) = reply.map(str::to_ascii_lowercase)
            && reply != domain
            && !plan.reply_domains.contains(&reply)
        {
            plan.reply_domains.push(reply);
        }
        plans.insert(domain, plan);
    }
    Ok(plans.into_values().collect())
}

/// A plan without senders: also for a domain that nobody sends from yet.
pub fn new_plan(mail: &Mail, domain: &str) -> anyhow::Result<Plan> {
    let mut keys = Vec::new();
    for dkim in mail.dkim.values() {
        let signs_for = dkim.domain.as_deref().or(mail.domain.as_deref()).unwrap_or_default();
        if signs_for.eq_ignore_ascii_case(domain) {
            keys.push(planned_key(domain, dkim)?);
        }
    }
    Ok(Plan {
        domain: domain.to_owned(),
        senders: Vec::new(),
        pinned: BTreeSet::new(),
        selectors: BTreeSet::new(),
        reply_domains: Vec::new(),
        bounce_domain: mail.bounce_domain(domain).to_ascii_lowercase(),
        helo: mail.ehlo_name().unwrap_or_else(|| format!("mail.{domain}")).to_ascii_lowercase(),
        routes: routes(mail),
        keys,
    })
}

/// The ways on which mail leaves: by the relay, and by the one that takes over.
fn routes(mail: &Mail) -> Vec<Route> {
    let first = Route {
        egress: mail.egress.clone(),
        includes: mail.relay_include.clone(),
        ..mail.transport.as_ref().map(route).unwrap_or_default()
    };
    let second = mail.fallback.as_ref().map(|relay| Route {
        egress: mail.fallback_egress.clone(),
        includes: mail.fallback_include.clone(),
        ..route(relay)
    });
    [first].into_iter().chain(second).collect()
}

fn route(relay: &Relay) -> Route {
    let link = RelayLink {
        host: relay.host.clone(),
        port: relay.port,
        encrypted: relay.tls != RelayTls::None,
        implicit_tls: relay.tls == RelayTls::Implicit,
    };
    Route { relay: relay_name(relay), link: Some(link), ..Route::default() }
}

/// What a relay is called in the ledger and in the verdicts on domains.
pub(super) fn relay_name(relay: &Relay) -> String {
    format!("{}:{}", relay.host, relay.port)
}

fn planned_key(domain: &str, dkim: &Dkim) -> anyhow::Result<PlannedKey> {
    let key = read_key(&dkim.key_file)?;
    let signer = DkimSigner::new(&key, domain, &dkim.selector)?;
    Ok(PlannedKey { selector: dkim.selector.clone(), public_txt: key.public_txt(), signer: Arc::new(signer) })
}

fn read_key(file: &Path) -> anyhow::Result<DkimKey> {
    let told = || format!("mail.dkim: {}", file.display());
    let pem = std::fs::read_to_string(file).with_context(told)?;
    DkimKey::from_pem(&pem).with_context(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ehlo_name_that_is_checked_is_the_one_that_is_said_whatever_the_senders_domains() {
        let mut mail = Mail::default();
        for (sender, address) in
            [("alerts", "alerts@a.test"), ("bookings", "bookings@b.test"), ("hello", "hello@c.test")]
        {
            mail.senders.get_mut(sender).unwrap().address = address.to_owned();
        }
        let key = Dkim { domain: Some("b.test".to_owned()), selector: "s1".to_owned(), key_file: "unread.pem".into() };
        mail.dkim.insert("b".to_owned(), key);
        // The first sender that can sign is the first that speaks.
        assert_eq!(mail.ehlo_name().as_deref(), Some("mail.b.test"));
        mail.dkim.clear();
        let said = mail.ehlo_name().unwrap();
        assert_eq!(said, "mail.a.test");
        let plans = plans(&mail).unwrap();
        assert_eq!(plans.iter().map(|plan| plan.domain.as_str()).collect::<Vec<_>>(), ["a.test", "b.test", "c.test"]);
        assert!(plans.iter().all(|plan| plan.helo == said));
        mail.helo = Some("out.example.test".to_owned());
        assert_eq!(mail.ehlo_name().as_deref(), Some("out.example.test"));
    }
}
