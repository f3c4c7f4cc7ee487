//! `/v1/domains`: where the senders' domains stand, and having them looked at.

use std::sync::Arc;

use mail::zone::{DEV_DOMAIN, DnsName, bounce_domain, dev_zone, ehlo_name};
use mail::{DkimKey, DkimSigner, Dns, DnsServer};
use outbound::{Client, Settings, SystemResolver};
use store::Scope;
use worker::Gate;
use worker::gate::{Plan, PlannedKey};

use crate::harness::{App, new_key};

/// An API whose gate sees a zone that the test can change.
async fn scene() -> (App, DnsServer) {
    let key = DkimKey::generate().unwrap();
    let dns = DnsServer::start(dev_zone(DEV_DOMAIN, "s1", &key.public_txt()).unwrap()).await.unwrap();
    let signer = Arc::new(DkimSigner::new(&key, DEV_DOMAIN, "s1").unwrap());
    let plan = Plan {
        domain: DEV_DOMAIN.to_owned(),
        senders: vec!["bookings".to_owned(), "hello".to_owned()],
        pinned: [].into(),
        selectors: ["s1".to_owned()].into(),
        reply_domains: Vec::new(),
        bounce_domain: bounce_domain(DEV_DOMAIN),
        helo: ehlo_name(DEV_DOMAIN),
        routes: vec![mail::gate::Route { egress: vec!["127.0.0.1".parse().unwrap()], ..mail::gate::Route::default() }],
        keys: vec![PlannedKey { selector: "s1".to_owned(), public_txt: key.public_txt(), signer }],
    };
    let client = Client::new(Settings::default(), Arc::new(SystemResolver));
    let gate = Gate::new(Dns::new(&[dns.addr()]).unwrap(), client, vec![plan]);
    (App::builder().gate(gate).start().await, dns)
}

#[tokio::test]
async fn a_domain_is_checked_listed_and_remembered() {
    let (app, dns) = scene().await;
    let list = app.get("/v1/domains").send().await.expect(200);
    let first = &list["items"][0];
    assert_eq!((&first["name"], &first["state"]), (&DEV_DOMAIN.into(), &"unchecked".into()));
    assert_eq!((&first["senders"][1], &first["held"]), (&"hello".into(), &0.into()));

    let path = format!("/v1/domains/{DEV_DOMAIN}");
    let good = app.post(&format!("{path}/check"), "").send().await.expect(200);
    assert_eq!((&good["state"], &good["reason"]), (&"verified".into(), &serde_json::Value::Null));
    assert!(good["findings"].as_array().unwrap().iter().any(|finding| finding["rule"] == "dkim.probe"));

    let mut zone = dns.zone();
    zone.remove(&DnsName::parse(&bounce_domain(DEV_DOMAIN)).unwrap(), |data| data.kind() == "TXT");
    dns.set_zone(zone);
    let bad = app.post(&format!("{path}/check"), "").send().await.expect(200);
    assert_eq!(bad["state"], "suspect");
    assert!(bad["reason"].as_str().unwrap().starts_with("spf.record"), "{bad}");
    let record = bad["findings"].as_array().unwrap().iter().find(|finding| finding["severity"] == "block").unwrap();
    let line = record["publish"]["line"].as_str().unwrap();
    assert_eq!(line, "bounce.postrider.test. 3600 IN TXT \"v=spf1 ip4:127.0.0.1 -all\"");
    assert_eq!(app.get(&path).send().await.expect(200)["findings"], bad["findings"]);

    let history = app.get(&format!("{path}/checks?limit=1")).send().await.expect(200);
    assert_eq!((&history["items"][0]["verdict"], &history["items"][0]["cause"]), (&"fail".into(), &"request".into()));
    let cursor = history["next_cursor"].as_str().unwrap();
    let rest = app.get(&format!("{path}/checks?limit=1&cursor={cursor}")).send().await.expect(200);
    assert_eq!((&rest["items"][0]["verdict"], &rest["next_cursor"]), (&"pass".into(), &serde_json::Value::Null));
}

#[tokio::test]
async fn other_domains_keys_without_the_scope_and_stray_parameters_are_refused() {
    let (app, _dns) = scene().await;
    for path in ["/v1/domains/example.com", "/v1/domains/example.com/checks", "/v1/domains/%00"] {
        app.get(path).send().await.problem(404);
    }
    app.post("/v1/domains/example.com/check", "").send().await.problem(404);
    assert_eq!(app.get("/v1/domains?x=1").send().await.problem(422), ["x"]);
    assert_eq!(app.get(&format!("/v1/domains/{DEV_DOMAIN}/checks?cursor=x")).send().await.problem(422), ["cursor"]);
    let reader = new_key(&app.store, &[Scope::JobsRead], None).await;
    app.get("/v1/domains").key(&reader).send().await.problem(403);
    let admin = new_key(&app.store, &[Scope::DomainsAdmin], None).await;
    app.get("/v1/domains").key(&admin).send().await.expect(200);
}

#[tokio::test]
async fn an_api_without_the_keys_that_sign_says_so() {
    let app = App::start().await;
    app.get("/v1/domains").send().await.problem(503);
}
