//! The gate at work: mail of a domain that would not authenticate stays, and leaves by itself when it is mended.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use job::{Clock, IdSource, JobId, JobState, ManualClock, SystemClock};
use mail::catcher::{Reaction, Step};
use mail::zone::{DEV_DOMAIN, DnsFault, DnsName, RecordData, bounce_domain, dev_zone};
use mail::{Catcher, DkimKey, DnsServer, RelayConfig, Renderer, SmtpTransport, Verdict, Verifier};
use store::{Delivery, DeliveryFilter, DeliveryState, Domain, DomainState};
use testkit::Hook;
use worker::gate::{Cause, Decision, Released, watch};
use worker::pace::Paces;
use worker::{Gate, Mailer};

use crate::cases::accept;
use crate::domain::gate;
use crate::mails::sender;
use crate::stage::Stage;

const PATIENCE: Duration = Duration::from_secs(60);

/// A stage whose mail goes through the gate, with the domain's zone in reach.
struct Yard {
    stage: Stage,
    dns: DnsServer,
    catcher: Catcher,
    gate: Arc<Gate>,
}

impl Yard {
    async fn open() -> Self {
        let (first, second) = (DkimKey::generate().unwrap(), DkimKey::generate().unwrap());
        let mut zone = dev_zone(DEV_DOMAIN, "first", &first.public_txt()).unwrap();
        zone.add(&format!("second._domainkey.{DEV_DOMAIN}"), RecordData::Txt(second.public_txt())).unwrap();
        let dns = DnsServer::start(zone).await.unwrap();
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let verifier = Verifier::new(dns.addr()).unwrap();
        let catcher = Catcher::start(loopback, verifier, Arc::new(SystemClock)).await.unwrap();
        let gate = gate(&dns, DEV_DOMAIN, &[("first", &first), ("second", &second)]);
        let mailer = Mailer {
            renderer: Arc::new(Renderer::new(None).unwrap()),
            senders: [("bookings".to_owned(), sender(&first, "first"))].into(),
            gate: Arc::clone(&gate),
            recipients: mail::RecipientRule::default(),
            transport: SmtpTransport::new(RelayConfig::plain(catcher.addr(), &mail::zone::ehlo_name(DEV_DOMAIN)))
                .unwrap(),
            fallback: None,
            paces: Paces::default(),
        };
        let mut stage = Stage::sqlite().await;
        stage.context.mailer = Some(Arc::new(mailer));
        Self { stage, dns, catcher, gate }
    }

    /// The same with a clock that is moved by hand. Nothing runs here: the gate is asked directly.
    async fn with_clock(clock: &ManualClock) -> Self {
        let mut yard = Self::open().await;
        let clock: Arc<dyn Clock> = Arc::new(clock.clone());
        yard.stage.context.ids = Arc::new(IdSource::new(Arc::clone(&clock)));
        yard.stage.context.clock = clock;
        yard
    }

    /// Takes the SPF record of MAIL FROM away, or publishes it again.
    fn publish_spf(&self, yes: bool) {
        let bounce = bounce_domain(DEV_DOMAIN);
        let mut zone = self.dns.zone();
        zone.remove(&DnsName::parse(&bounce).unwrap(), |data| matches!(data, RecordData::Txt(_)));
        if yes {
            zone.add(&bounce, RecordData::Txt("v=spf1 ip4:127.0.0.0/8 -all".to_owned())).unwrap();
        }
        self.dns.set_zone(zone);
    }

    fn dns_is_away(&self, yes: bool) {
        let bounce = DnsName::parse(&bounce_domain(DEV_DOMAIN)).unwrap();
        match yes {
            true => self.dns.fail(&bounce, DnsFault::ServFail),
            false => self.dns.heal(&bounce),
        }
    }

    /// Reports a booking and enqueues its job; its two mails follow.
    async fn book(&self, id: &str) {
        let event = accept(&self.stage, id).await;
        let now = self.stage.context.clock.now();
        let job = worker::intents::booking_event(id, 1, event.event, event.job_id, now);
        self.stage.enqueue(job).await;
    }

    async fn mails(&self) -> Vec<Delivery> {
        self.stage.context.store.list_deliveries(&DeliveryFilter::default(), 100, None).await.unwrap().items
    }

    /// Waits until there are two mails, both in this state.
    async fn both_are(&self, state: DeliveryState) -> Vec<Delivery> {
        testkit::wait_for(&format!("both mails to be {state}"), PATIENCE, async || {
            let mails = self.mails().await;
            (mails.len() == 2 && mails.iter().all(|mail| mail.state == state)).then_some(mails)
        })
        .await
    }

    async fn check(&self) -> worker::gate::Checked {
        self.gate.check(self.stage.context.means(), DEV_DOMAIN, Cause::Request, false).await.unwrap().unwrap()
    }

    async fn pass(&self) -> Decision {
        self.gate.pass(self.stage.context.means(), DEV_DOMAIN).await.unwrap()
    }

    async fn stored(&self) -> Domain {
        self.stage.context.store.domain(DEV_DOMAIN).await.unwrap().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_red_domain_holds_the_mails_of_a_booking_and_mending_it_releases_them() {
    let yard = Yard::open().await;
    yard.publish_spf(false);
    let runner = yard.stage.runner(|_| {});
    yard.book("bk_1").await;
    for mail in yard.both_are(DeliveryState::Held).await {
        let why = mail.last_error.unwrap();
        assert!(why.contains("spf.record") && why.contains("no SPF record"), "{why}");
        yard.stage.until(JobId::from_uuid(mail.job_id), JobState::Completed).await;
    }
    assert_eq!(yard.catcher.inbox().len(), 0, "nothing reached the relay");
    // A worker's own watch would release what this check shall.
    assert_eq!(runner.shut_down().await, 0);

    yard.publish_spf(true);
    let checked = yard.check().await;
    assert_eq!((checked.domain.state, checked.released), (DomainState::Verified, 2));
    let runner = yard.stage.runner(|_| {});
    for mail in yard.both_are(DeliveryState::Sent).await {
        assert_eq!(mail.release, 1);
    }
    let caught = yard.catcher.inbox().list();
    assert_eq!(caught.len(), 2);
    for mail in caught {
        assert_eq!((mail.spf, mail.dkim, mail.dmarc), (Verdict::Pass, Verdict::Pass, Verdict::Pass));
    }
    assert_eq!(runner.shut_down().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_first_mail_of_a_good_domain_leaves_at_once_although_nobody_had_looked() {
    let yard = Yard::open().await;
    let runner = yard.stage.runner(|_| {});
    yard.book("bk_1").await;
    for mail in yard.both_are(DeliveryState::Sent).await {
        assert_eq!((mail.attempts, mail.release), (1, 0));
    }
    assert_eq!(yard.stored().await.state, DomainState::Verified);
    assert_eq!(runner.shut_down().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_is_held_while_its_domain_is_mended_is_not_forgotten() {
    let yard = Yard::open().await;
    yard.publish_spf(false);
    let runner = yard.stage.runner(|_| {});
    yard.book("bk_1").await;
    yard.both_are(DeliveryState::Held).await;
    // A worker's own watch would release what this test shall.
    assert_eq!(runner.shut_down().await, 0);
    // The domain is good by the time that the mail's own word arrives, and the check that found so saw no held mail.
    yard.publish_spf(true);
    let mended = Domain {
        state: DomainState::Verified,
        verified_at: Some(yard.stage.context.clock.now()),
        ..yard.stored().await
    };
    assert!(yard.stage.context.store.save_domain(&mended, None, yard.stage.context.clock.now()).await.unwrap());
    let released = yard.gate.release(yard.stage.context.means(), DEV_DOMAIN).await.unwrap();
    assert_eq!(released, Released { mails: 2, more: false });
    let runner = yard.stage.runner(|_| {});
    yard.both_are(DeliveryState::Sent).await;
    assert_eq!(runner.shut_down().await, 0);
}

#[tokio::test]
async fn a_domain_that_was_good_within_a_day_outlives_a_dns_that_is_away() {
    let clock = ManualClock::at("2027-03-01T09:00:00Z".parse().unwrap());
    let yard = Yard::with_clock(&clock).await;
    assert_eq!(yard.pass().await, Decision::Send);
    yard.dns_is_away(true);
    clock.advance(Duration::from_hours(1));
    let checked = yard.check().await;
    assert_eq!((checked.domain.state, checked.domain.unclear_in_a_row), (DomainState::Verified, 1));
    assert!(matches!(yard.pass().await, Decision::Warn(_)));
    clock.advance(Duration::from_hours(23));
    assert!(matches!(yard.pass().await, Decision::Warn(_)), "exactly a day is within");
    clock.advance(Duration::from_secs(1));
    let Decision::Hold(why) = yard.pass().await else { panic!("a day is over") };
    assert!(why.contains("Server Failure"), "{why}");
    yard.dns_is_away(false);
    clock.advance(Duration::from_mins(5));
    assert_eq!(yard.pass().await, Decision::Send, "the mail that comes when it is due looks itself");
}

#[tokio::test]
async fn a_domain_that_was_never_verified_is_held_while_the_dns_is_away() {
    let clock = ManualClock::at("2027-03-01T09:00:00Z".parse().unwrap());
    let yard = Yard::with_clock(&clock).await;
    yard.dns_is_away(true);
    assert!(matches!(yard.pass().await, Decision::Hold(_)));
    let mut waits = Vec::new();
    for _ in 0..5 {
        let domain = yard.stored().await;
        let (checked, next) = (domain.checked_at.unwrap(), domain.next_check_at.unwrap());
        let wait = next.as_second() - checked.as_second();
        waits.push(wait);
        clock.advance(Duration::from_secs(wait.unsigned_abs()));
        assert!(matches!(yard.pass().await, Decision::Hold(_)));
    }
    assert_eq!(waits, [30, 60, 120, 300, 300]);
    let history = yard.stage.context.store.domain_checks(DEV_DOMAIN, 10, None).await.unwrap();
    assert_eq!(history.items.len(), 1, "the same finding again is no news");
    assert_eq!((history.items[0].cause.as_str(), history.items[0].verdict.as_str()), ("first_send", "unclear"));
}

#[tokio::test]
async fn a_permanent_failure_is_confirmed_before_a_verified_domain_is_held() {
    let clock = ManualClock::at("2027-03-01T09:00:00Z".parse().unwrap());
    let yard = Yard::with_clock(&clock).await;
    yard.check().await;
    yard.publish_spf(false);
    clock.advance(Duration::from_hours(1));
    assert_eq!(yard.check().await.domain.state, DomainState::Suspect);
    assert!(matches!(yard.pass().await, Decision::Warn(_)));
    assert_eq!(yard.check().await.domain.state, DomainState::Suspect, "the same moment confirms nothing");
    clock.advance(Duration::from_secs(30));
    assert_eq!(yard.check().await.domain.state, DomainState::Failed);
    assert!(matches!(yard.pass().await, Decision::Hold(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_for_want_of_authentication_has_the_domain_looked_at_again() {
    let yard = Yard::open().await;
    yard.check().await;
    yard.catcher.set_script(Some(Arc::new(|step: &Step<'_>| match step {
        Step::Rcpt { .. } => Reaction::Reply(550, "5.7.26 this mail is unauthenticated".to_owned()),
        _ => Reaction::Proceed,
    })));
    let hourly = yard.stored().await;
    let runner = yard.stage.runner(|_| {});
    yard.book("bk_1").await;
    yard.both_are(DeliveryState::Failed).await;
    let brought_forward = testkit::wait_for("the check is brought forward", PATIENCE, async || {
        let domain = yard.stored().await;
        (domain.next_check_at < hourly.next_check_at).then_some(domain)
    })
    .await;
    let wait = brought_forward.next_check_at.unwrap().as_second() - brought_forward.checked_at.unwrap().as_second();
    assert!((0..=60).contains(&wait), "{wait}");
    assert_eq!(runner.shut_down().await, 0);
}

#[tokio::test]
async fn however_many_workers_watch_there_is_one_check_for_each_time_that_it_is_due() {
    let clock = ManualClock::at("2027-03-01T09:00:00Z".parse().unwrap());
    let yard = Yard::with_clock(&clock).await;
    let context = &yard.stage.context;
    let once = async |cause| watch::once(context, &yard.gate, cause).await.unwrap().checks;
    assert_eq!((once(Cause::Start).await, once(Cause::Start).await), (1, 0));
    yard.check().await;
    assert_eq!(once(Cause::Due).await, 0, "it is not due for an hour");
    clock.advance(Duration::from_hours(1));
    assert_eq!((once(Cause::Due).await, once(Cause::Due).await), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_rotation_the_second_key_signs_and_receivers_find_it() {
    let yard = Yard::open().await;
    yard.check().await;
    let now = yard.stage.context.clock.now();
    assert!(yard.stage.context.store.switch_selector(DEV_DOMAIN, "first", "second", now).await.unwrap());
    let report = yard.check().await.report;
    let previous = report.findings.iter().find(|finding| finding.found.contains("seven days")).unwrap();
    assert!(previous.place.starts_with("first._domainkey."), "{previous:?}");
    let runner = yard.stage.runner(|_| {});
    yard.book("bk_1").await;
    yard.both_are(DeliveryState::Sent).await;
    for mail in yard.catcher.inbox().list() {
        let raw = String::from_utf8_lossy(&mail.raw).replace("\r\n\t", "");
        assert!(raw.contains("s=second;"), "{raw}");
        assert_eq!(mail.dkim, Verdict::Pass);
    }
    assert_eq!(runner.shut_down().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operators_hear_when_mail_is_held_and_when_that_is_over_and_not_in_between() {
    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let mut yard = Yard::open().await;
    let kept = Hook::start().await;
    yard.stage.tells(&kept, Some(SECRET));
    // A domain that has been bad for a while: the next bad answer confirms it. (The worker that starts now finds that it
    // was looked at just before.)
    yard.publish_spf(false);
    let now = yard.stage.context.clock.now();
    let first = yard.check().await.domain;
    let runner = yard.stage.runner(|settings| settings.queues.push(crate::stage::share("default")));
    let earlier = now.checked_sub(Duration::from_mins(1)).unwrap();
    let failing = Domain { failing_since: Some(earlier), ..yard.stored().await };
    assert!(yard.stage.context.store.save_domain(&failing, None, now).await.unwrap());
    assert!(!first.told && yard.check().await.domain.told);
    yard.check().await;
    let said = async |n: usize| {
        testkit::wait_for(&format!("{n} notices"), PATIENCE, async || {
            let taken = kept.taken();
            (taken.len() >= n).then_some(taken)
        })
        .await
    };
    let (request, body) = said(1).await.remove(0);
    assert_eq!((&body["type"], &body["data"]["kind"]), (&"notice.raised".into(), &"domain.held".into()));
    assert_eq!(body["data"]["labels"], serde_json::json!(BTreeMap::from([("domain", DEV_DOMAIN)])));
    assert!(body["data"]["detail"].as_str().unwrap().contains("spf.record"), "{body}");
    let header = |name: &str| {
        let line = request.lines().find(|line| line.starts_with(&format!("{name}: "))).unwrap();
        line.split_once(": ").unwrap().1.to_owned()
    };
    let signer = standardwebhooks::Webhook::new(SECRET).unwrap();
    let text = request.split_once("\r\n\r\n").unwrap().1;
    let seconds: i64 = header("webhook-timestamp").parse().unwrap();
    assert_eq!(signer.sign(&header("webhook-id"), seconds, text.as_bytes()).unwrap(), header("webhook-signature"));

    yard.publish_spf(true);
    yard.check().await;
    let (_, over) = said(2).await.remove(1);
    assert_eq!((&over["type"], &over["data"]["labels"]), (&"notice.resolved".into(), &body["data"]["labels"]));
    assert_eq!(runner.shut_down().await, 0);
    assert_eq!(kept.taken().len(), 2, "the check in between told nothing new");
}

#[tokio::test]
async fn a_good_answer_for_one_configuration_lets_no_mail_of_another_leave() {
    let clock = ManualClock::at("2027-03-01T09:00:00Z".parse().unwrap());
    let yard = Yard::with_clock(&clock).await;
    let means = yard.stage.context.means();
    assert_eq!(yard.pass().await, Decision::Send);
    // A worker starts with a key that is not published under its selector.
    let wrong = gate(&yard.dns, DEV_DOMAIN, &[("first", &DkimKey::generate().unwrap())]);
    let Decision::Hold(why) = wrong.pass(means, DEV_DOMAIN).await.unwrap() else {
        panic!("its mail cannot be verified")
    };
    assert!(why.contains("dkim."), "{why}");
    // The other one goes on, and neither makes the other look again and again.
    clock.advance(Duration::from_secs(10));
    let revision = yard.stored().await.revision;
    assert_eq!(yard.pass().await, Decision::Send);
    assert!(matches!(wrong.pass(means, DEV_DOMAIN).await.unwrap(), Decision::Hold(_)));
    assert_eq!(yard.stored().await.revision, revision, "nobody had to look");
    // Its second bad answer is confirmed, for itself.
    clock.advance(Duration::from_secs(20));
    assert!(matches!(wrong.pass(means, DEV_DOMAIN).await.unwrap(), Decision::Hold(_)));
    assert_eq!((yard.stored().await.state, yard.pass().await), (DomainState::Failed, Decision::Send));
    clock.advance(Duration::from_hours(1));
    assert_eq!(yard.pass().await, Decision::Send);
    assert_eq!(yard.stored().await.state, DomainState::Verified, "after an hour it looked for itself");

    // With the DNS away the last good answer does not count either, if it was for another configuration.
    yard.dns_is_away(true);
    let other = gate(&yard.dns, DEV_DOMAIN, &[("second", &DkimKey::generate().unwrap())]);
    assert!(matches!(other.pass(means, DEV_DOMAIN).await.unwrap(), Decision::Hold(_)));
    clock.advance(Duration::from_secs(10));
    assert_eq!(yard.pass().await, Decision::Send);
}

#[tokio::test]
async fn what_signs_when_all_is_well_signs_on_whatever_key_the_configuration_gets() {
    let yard = Yard::open().await;
    assert_eq!(yard.check().await.domain.selector.as_deref(), Some("first"));
    // A table is added that comes first by its name; its record is not published.
    let (first, early) = (DkimKey::generate().unwrap(), DkimKey::generate().unwrap());
    let mut zone = yard.dns.zone();
    let at = format!("first._domainkey.{DEV_DOMAIN}");
    zone.remove(&DnsName::parse(&at).unwrap(), |_| true);
    zone.add(&at, RecordData::Txt(first.public_txt())).unwrap();
    yard.dns.set_zone(zone);
    let two = gate(&yard.dns, DEV_DOMAIN, &[("early", &early), ("first", &first)]);
    assert_eq!(two.pass(yard.stage.context.means(), DEV_DOMAIN).await.unwrap(), Decision::Send);
    let message =
        b"From: a@postrider.test\r\nTo: b@example.com\r\nSubject: s\r\nDate: Mon, 1 Mar 2027 09:00:00 +0000\r\n\
                    Message-ID: <a@postrider.test>\r\n\r\nHello\r\n";
    let signed = two.signer(&sender(&early, "early")).sign(message, yard.stage.context.clock.now()).unwrap();
    let signed = String::from_utf8(signed).unwrap().replace("\r\n\t", "");
    assert!(signed.contains("s=first;"), "{signed}");
    assert_eq!(yard.stored().await.selector.as_deref(), Some("first"));
}
