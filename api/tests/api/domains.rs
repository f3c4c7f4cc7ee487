//! `/v1/domains`: where the senders' domains stand, and having them looked at.

use std::sync::Arc;

use job::{Clock, SystemClock};
use mail::verp::Verp;
use mail::zone::{DEV_DOMAIN, DnsName, bounce_domain, dev_zone, ehlo_name};
use mail::{DkimKey, DkimSigner, Dns, DnsServer, EmailAddress};
use outbound::{Client, Settings, SystemResolver};
use secrets::Purpose;
use store::{Category, NewDelivery, Scope};
use worker::Gate;
use worker::gate::{Plan, PlannedKey};

use crate::harness::{App, new_id, new_key};

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

/// A bounce of this mail with this status, sent back to `to`.
fn bounce(to: &str, status: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mx.example\r\nTo: <{to}>\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nSorry.\r\n--b\r\n\
         Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n\
         Final-Recipient: rfc822; ana@people.example\r\nAction: failed\r\nStatus: {status}\r\n\
         Diagnostic-Code: smtp; 550 {status} refused\r\n--b--\r\n"
    )
}

/// The word of a receiver's machine that a mail did not authenticate.
fn auth_failure(to: &str) -> String {
    format!(
        "From: fbl@mx.example\r\nTo: <{to}>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n--b\r\n\
         Content-Type: message/feedback-report\r\n\r\nFeedback-Type: auth-failure\r\nUser-Agent: x/1\r\nVersion: 1\r\n\
         Original-Mail-From: <{to}>\r\n--b--\r\n"
    )
}

#[tokio::test]
async fn a_report_that_proves_itself_and_speaks_of_authentication_has_the_domain_looked_at_again() {
    let (app, _dns) = scene().await;
    let path = format!("/v1/domains/{DEV_DOMAIN}");
    let due = async || {
        let domain = app.get(&path).send().await.expect(200);
        let at = |field: &str| domain[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        at("next_check_at").duration_since(at("checked_at")).as_secs()
    };
    let id = new_id();
    let to = "ana@people.example";
    let mail = NewDelivery::new(id, id.to_string(), Category::Booking, "booking_confirmed_student", "bookings", to);
    app.store.insert_deliveries(&[mail], SystemClock.now()).await.unwrap();
    let tag = app.state.secrets.as_ref().unwrap().tag(Purpose::Bounce, id.as_bytes());
    let bounces = EmailAddress::parse(&format!("bounces@{}", bounce_domain(DEV_DOMAIN))).unwrap();
    let ours = Verp { id: id.simple().to_string(), tag }.address(&bounces).unwrap().to_string();
    let forged = Verp { id: id.simple().to_string(), tag: "0123456789abcdef".to_owned() }.address(&bounces).unwrap();
    let hand_in =
        async |raw: String| app.call(axum::http::Method::POST, "/v1/inbound/dsn").body(raw).send().await.expect(200);
    for report in [bounce(&ours, "5.7.26"), auth_failure(&ours)] {
        app.post(&format!("{path}/check"), "").send().await.expect(200);
        hand_in(bounce(forged.as_str(), "5.7.26")).await;
        hand_in(bounce(&ours, "5.2.2")).await;
        assert_eq!(due().await, 3_600, "neither a word that proves nothing nor one of something else");
        assert_eq!(hand_in(report).await["verified"], true);
        assert_eq!(due().await, 60);
    }
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
