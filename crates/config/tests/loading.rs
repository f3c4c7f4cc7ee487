//! Defaults, file and environment laid over each other.

use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Config, LogFormat, MailClass, QueueUrl, QuietHours, RedisTopology, SqliteTarget, StoreUrl};

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A file of its own in the build's scratch folder.
fn file(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).expect("the scratch folder is writable");
    path
}

#[test]
fn the_commented_defaults_are_exactly_the_defaults_of_the_types() {
    assert_eq!(Config::load(None, []).unwrap(), Config::default());
}

#[test]
fn the_defaults_can_be_used_as_a_file() {
    let path = file("copy-of-defaults.toml", config::DEFAULT_TOML);
    assert_eq!(Config::load(Some(&path), []).unwrap(), Config::default());
}

#[test]
fn the_commented_out_keys_work_once_they_are_let_in() {
    let text: String = config::DEFAULT_TOML
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest)
                if ["[mail.dkim", "[schedules.", "[heartbeats.", "[alerts.", "[[alerts."]
                    .iter()
                    .any(|head| rest.starts_with(head)) =>
            {
                rest
            }
            Some(rest)
                if rest
                    .split_once(" = ")
                    .is_some_and(|(k, _)| k.chars().all(|c| c.is_ascii_lowercase() || c == '_')) =>
            {
                rest
            }
            _ => line,
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    let text = text.replace("# key = value", "#").replace("# k20261124 = ", "k20261124 = ");
    let text = text.replace("the-44-characters-that-postrider-secrets-new-prints", &"0123456789abcdef".repeat(4));
    let config = Config::load(Some(&file("everything.toml", &text)), []).unwrap();
    assert_eq!(config.api.public_url.as_deref(), Some("https://jobs.example.com"));
    assert_eq!(config.mail.transport.as_ref().unwrap().to_string(), "smtp+starttls://[secret]@relay.example.com:587");
    assert_eq!(config.queues["bookings"].concurrency, Some(16));
    let nightly = &config.schedules["nightly_export"];
    assert_eq!(nightly.args.as_ref().unwrap()["bucket"], "exports");
    assert_eq!((nightly.jitter, nightly.failure_limit), (Some(Duration::from_secs(300)), Some(5)));
    assert_eq!(config.alerts.receivers["on_call"].email.len(), 2);
    assert_eq!(config.alerts.tree().all().len(), 3);
    assert_eq!(config.alerts.inhibitions(), alerting::Inhibition::standard(), "the rule shown is the one that holds");
    assert_eq!(config.heartbeats["nightly_backup"].grace, Some(Duration::from_secs(3600)));
    let sender = config.mail.profile("bookings").unwrap();
    assert_eq!(sender.reply_to.as_deref(), Some("support@example.com"));
    assert_eq!(sender.dkim.unwrap().selector, "s1");
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let path = file(
        "overlay.toml",
        "[queue]\nlease = 30\nprefix = \"from-file\"\n[queues.reports]\n[mail.senders.reports]\naddress = \"reports\"\nname = \"Reports\"\n",
    );
    let config = Config::load(
        Some(&path),
        env(&[
            ("POSTRIDER__QUEUE__PREFIX", "from-env"),
            ("POSTRIDER__QUEUE__URL", "redis://u:p@redis.example/4"),
            ("POSTRIDER__STORE__URL", "postgres://u:p@db.example/postrider"),
            ("POSTRIDER__API__LISTEN", "0.0.0.0:8181"),
            ("PATH", "/bin"),
            ("POSTRIDER_OTHER", "1"),
        ]),
    )
    .unwrap();
    assert_eq!(config.queue.lease, Duration::from_secs(30));
    assert_eq!(config.queue.prefix, "from-env");
    assert_eq!(config.queue.url.to_string(), "redis://[secret]@redis.example:6379/4");
    assert!(matches!(config.store.url, StoreUrl::Postgres(_)));
    assert_eq!(config.api.listen.port(), 8181);
    assert_eq!(config.queues["reports"].weight, 1);
    assert_eq!(config.queues["bookings"].weight, 5);
    assert_eq!(config.mail.senders["reports"].class, MailClass::Booking);
}

#[test]
fn the_environment_sets_every_kind_of_value() {
    let config = Config::load(
        None,
        env(&[
            ("POSTRIDER__WORKER__CONCURRENCY", "200"),
            ("POSTRIDER__WORKER__SHUTDOWN_SOFT", "2s"),
            ("POSTRIDER__DEBUG__KINDS", "true"),
            ("POSTRIDER__QUEUE__PREFIX", "p2026"),
            ("POSTRIDER__QUEUE__HEARTBEAT", "3"),
            ("POSTRIDER__QUEUE__REDIS__MIN_REPLICA_ACKS", "1"),
            ("POSTRIDER__QUEUES__EMAILS__CONCURRENCY", "8"),
            ("POSTRIDER__API__BODY_LIMIT", "2MiB"),
            ("POSTRIDER__TELEMETRY__FORMAT", "json"),
            ("POSTRIDER__WORKER__METRICS_LISTEN", "127.0.0.1:9999"),
            ("POSTRIDER__MAIL__DOMAIN", "example.com"),
            ("POSTRIDER__MAIL__DKIM__MAIN__SELECTOR", "20261123"),
            ("POSTRIDER__MAIL__DKIM__MAIN__KEY_FILE", "/k.pem"),
        ]),
    )
    .unwrap();
    assert_eq!(config.worker.concurrency, 200);
    assert_eq!(config.worker.shutdown_soft, Duration::from_secs(2));
    assert!(config.debug.kinds);
    assert_eq!(config.queue.prefix, "p2026");
    assert_eq!(config.queue.heartbeat, Duration::from_secs(3));
    assert_eq!(config.queue.redis.min_replica_acks, 1);
    assert_eq!(config.queues["emails"].concurrency, Some(8));
    assert_eq!(config.api.body_limit, 2 << 20);
    assert_eq!(config.telemetry.format, LogFormat::Json);
    assert_eq!(config.worker.metrics_listen.unwrap().port(), 9999);
    assert_eq!(config.mail.profile("alerts").unwrap().dkim.unwrap().selector, "20261123");
}

#[test]
fn a_sentinel_url_comes_through_with_its_parts() {
    let url = "rediss+sentinel://app:s%40crt@s1:1,s2:2/main/3";
    let config = Config::load(None, env(&[("POSTRIDER__QUEUE__URL", url)])).unwrap();
    let QueueUrl::Redis(redis) = config.queue.url else { panic!("not Redis") };
    assert!(redis.tls);
    assert_eq!(redis.user.as_deref(), Some("app"));
    assert_eq!(redis.password.as_ref().map(config::Secret::expose), Some("s@crt"));
    let RedisTopology::Sentinel { hosts, master, db } = redis.topology else { panic!("not Sentinel") };
    assert_eq!((hosts.len(), master.as_str(), db), (2, "main", 3));
}

#[test]
fn dev_keeps_everything_under_its_folder_and_can_send() {
    let mut config = Config::dev(Path::new("/tmp/some data"));
    assert_eq!(config.queue.url, QueueUrl::Sqlite(SqliteTarget::File("/tmp/some data/queue.db".into())));
    assert_eq!(config.store.url, StoreUrl::Sqlite(SqliteTarget::File("/tmp/some data/store.db".into())));
    assert!(config.debug.kinds);
    assert!(config.api.listen.ip().is_loopback());
    assert_eq!(config.mail.transport, None);
    for name in ["alerts", "bookings", "hello", "security"] {
        let profile = config.mail.profile(name).unwrap();
        assert_eq!(profile.domain, config::DEV_DOMAIN);
        assert_eq!(profile.dkim.unwrap().selector, config::DEV_SELECTOR);
    }
    config.mail.transport = Some(config::Relay::loopback(2525));
    config.validate().unwrap();
}

#[test]
fn dev_takes_file_and_environment_too() {
    let config = Config::load_dev(Path::new("d"), None, env(&[("POSTRIDER__TELEMETRY__LEVEL", "debug")])).unwrap();
    assert_eq!(config.telemetry.level, "debug");
    assert!(config.debug.kinds);
}

#[test]
fn no_secret_is_shown_by_debug() {
    let config = Config::load(
        None,
        env(&[
            ("POSTRIDER__QUEUE__URL", "redis://u:hunter2@h"),
            ("POSTRIDER__QUEUE__REDIS__SENTINEL_PASSWORD", "hunter2"),
            ("POSTRIDER__STORE__URL", "postgres://u:hunter2@h/db"),
            ("POSTRIDER__MAIL__TRANSPORT", "smtps://u:hunter2@h"),
            ("POSTRIDER__SECRETS__KEYS__K1", "hunter2hunter2hunter2hunter2hunter2hunter2h"),
        ]),
    )
    .unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn reminders_are_set_by_a_list_or_by_one_variable() {
    let hours = |hours: &[u64]| hours.iter().map(|h| Duration::from_secs(h * 3600)).collect::<Vec<_>>();
    let listed = file("reminders.toml", "[reminders]\noffsets = [\"48h\", 3600]\nquiet_hours = \"22:00-07:30\"\n");
    let config = Config::load(Some(&listed), []).unwrap();
    assert_eq!(config.reminders.offsets, hours(&[48, 1]));
    assert_eq!(config.reminders.quiet_hours, Some(QuietHours { from: 1320, until: 450 }));
    let set = Config::load(Some(&listed), env(&[("POSTRIDER__REMINDERS__OFFSETS", "24h, 2h")])).unwrap();
    assert_eq!(set.reminders.offsets, hours(&[24, 2]));
    assert_eq!(Config::load(None, env(&[("POSTRIDER__REMINDERS__OFFSETS", "")])).unwrap().reminders.offsets, []);
}

#[test]
fn every_severity_reaches_somebody_with_nothing_configured_too() {
    let config = Config::load(None, env(&[("POSTRIDER__MAIL__DOMAIN", "example.com")])).unwrap();
    let (tree, receivers) = (config.alerts.tree(), config.alerts.receivers(&config.mail));
    for severity in alerting::Severity::ALL {
        let subject = alerting::Labels::from_pairs([("severity", severity.as_str())]).unwrap();
        let told: Vec<_> = tree.resolve(&subject).iter().flat_map(|r| receivers[&r.receiver].email.clone()).collect();
        assert_eq!(told, ["alerts@example.com"], "{severity}");
    }
    let hook = ("POSTRIDER__ALERTS__WEBHOOK", "https://hooks.example.net/x");
    let config = Config::load(None, env(&[hook])).unwrap();
    let operators = config.alerts.operators(&config.mail);
    assert!(operators.email.is_empty() && operators.webhook.is_some(), "who has a webhook is not mailed unasked");
    assert!(Config::default().alerts.operators(&Config::default().mail).is_empty(), "there is no way at all");
}

#[test]
fn routes_are_read_as_they_are_written() {
    let text = r#"
        [alerts]
        email = ["ops@example.com"]
        group_wait = 10
        inhibit = []
        [alerts.receivers.dba]
        email = "ana@example.com, ben@example.com"
        [[alerts.routes]]
        match = 'team="db",severity!="info"'
        receiver = "dba"
        escalate = [{ after = "15m", receiver = "operators" }]
        [[alerts.routes.routes]]
        match = ['host=~"db-[0-9]+"', 'zone="eu"']
        group_by = ["..."]
        continue = true
    "#;
    let config = Config::load(Some(&file("routes_read.toml", text)), []).unwrap();
    let tree = config.alerts.tree();
    let [_, db, host] = tree.all()[..] else { panic!("three routes") };
    assert_eq!(db.key, r#"{}/{team="db",severity!="info"}"#);
    assert_eq!(host.receiver, "dba");
    assert_eq!(host.group_by, alerting::GroupBy::All);
    assert_eq!(host.timing.group_wait, Duration::from_secs(10));
    assert_eq!(host.escalation[0].after, Duration::from_secs(900));
    assert_eq!(config.alerts.receivers["dba"].email, ["ana@example.com", "ben@example.com"]);
    assert_eq!(config.alerts.inhibitions(), []);
}
