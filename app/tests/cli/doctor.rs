//! `doctor`: what it finds, and what the exit code says of it.

use std::os::unix::fs::PermissionsExt;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use testkit::{Database, Redis, RedisCluster, Sentinels};

use crate::harness::{Place, Said, names};

async fn examine(place: &Place) -> (Said, Value) {
    let said = place.run(&["doctor", "--json"]).await;
    let report = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {said:?}"));
    (said, report)
}

/// The checks of that name, each as its status and what was found.
fn found<'a>(report: &'a Value, area: &str, name: &str) -> Vec<(&'a str, &'a str)> {
    let checks = report["checks"].as_array().unwrap();
    let ours = checks.iter().filter(|c| c["area"] == area && c["name"].as_str().unwrap().starts_with(name));
    ours.map(|c| (c["status"].as_str().unwrap(), c["found"].as_str().unwrap())).collect()
}

#[track_caller]
fn is(report: &Value, area: &str, name: &str, status: &str, word: &str) {
    let found = found(report, area, name);
    assert!(found.iter().any(|(s, f)| *s == status && f.contains(word)), "{area}, {name}: {found:?}");
}

#[tokio::test]
async fn a_new_folder_is_looked_at_and_left_as_it_is() {
    let place = Place::sqlite();
    let (said, report) = examine(&place).await;
    assert_eq!((said.code, &report["status"]), (0, &json!("warn")));
    assert_eq!(names(&report["checks"][0]), ["advice", "area", "found", "name", "status"]);
    is(&report, "queue", "file", "warn", "not there yet");
    is(&report, "store", "file", "warn", "not there yet");
    is(&report, "disk", "space", "ok", "free");
    assert!(!place.dir.join("queue.db").exists() && !place.dir.join("store.db").exists());
}

#[tokio::test]
async fn sqlite_files_are_judged_by_journal_and_migrations() {
    let place = Place::sqlite();
    place.ok(&["enqueue", "debug.noop"]).await;
    place.ok(&["migrate"]).await;
    let (said, report) = examine(&place).await;
    assert_eq!(said.code, 0, "{report:#}");
    is(&report, "queue", "journal", "ok", "WAL");
    is(&report, "queue", "waiting jobs", "ok", "1 due");
    is(&report, "queue", "kinds", "ok", "kinds, each in one of the queues");
    is(&report, "store", "migrations", "ok", "all");

    place.write("store.db", "this is a letter and no database");
    let (said, report) = examine(&place).await;
    assert_eq!(said.code, 1);
    is(&report, "store", "journal", "fail", "no SQLite database");
}

#[tokio::test]
async fn one_file_for_both_is_a_failure() {
    let place = Place::sqlite();
    let url = place.file_url("queue.db");
    let (said, report) = examine(&place.with("STORE__URL", &url)).await;
    assert_eq!(said.code, 1);
    is(&report, "disk", "two files", "fail", "the same file");
}

#[tokio::test]
async fn a_redis_that_is_set_as_it_should_be_passes() {
    let database = Database::create().await;
    let place = Place::redis().await.with("STORE__URL", database.url());
    let (said, report) = examine(&place).await;
    assert_eq!(said.code, 1);
    is(&report, "store", "migrations", "fail", "pending");

    place.ok(&["migrate"]).await;
    let (said, report) = examine(&place).await;
    assert_eq!(said.code, 0, "{report:#}");
    for (area, name, word) in [
        ("queue", "reachable", "answers in"),
        ("redis", "version", "."),
        ("redis", "role", "master"),
        ("redis", "append-only file", "everysec"),
        ("redis", "maxmemory-policy", "noeviction"),
        ("redis", "memory", "used"),
        ("redis", "replicas", "none"),
        ("redis", "clock", "agrees"),
        ("store", "reachable", "postgres://[secret]@"),
        ("store", "migrations", "all"),
    ] {
        is(&report, area, name, "ok", word);
    }
    let bad: Vec<_> =
        report["checks"].as_array().unwrap().iter().filter(|c| c["area"] != "mail" && c["status"] != "ok").collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

#[tokio::test]
async fn a_redis_that_forgets_is_warned_of_and_one_that_lacks_replicas_fails() {
    let redis = Redis::builder().set("maxmemory", "50mb").set("maxmemory-policy", "allkeys-lru").start().await;
    let place = Place::sqlite().at_redis(redis);
    let (said, report) = examine(&place).await;
    assert_eq!(said.code, 0, "warnings are no failure: {report:#}");
    is(&report, "redis", "append-only file", "warn", "everything is lost");
    is(&report, "redis", "maxmemory-policy", "warn", "allkeys-lru");
    is(&report, "redis", "memory", "ok", "50.0 MiB");

    let (said, report) = examine(&place.with("QUEUE__REDIS__MIN_REPLICA_ACKS", "1")).await;
    assert_eq!(said.code, 1);
    is(&report, "queue", "takes jobs", "fail", "0 of 1 replicas");
    is(&report, "redis", "replicas", "fail", "0 online, 1 must acknowledge");
}

#[tokio::test]
async fn a_redis_that_is_full_fails_and_says_so() {
    let redis = Redis::builder().aof().set("maxmemory", "100kb").set("maxmemory-policy", "noeviction").start().await;
    let (said, report) = examine(&Place::sqlite().at_redis(redis)).await;
    assert_eq!(said.code, 1, "{report:#}");
    is(&report, "queue", "takes jobs", "fail", "maxmemory");
    is(&report, "redis", "maxmemory-policy", "ok", "noeviction");
}

#[tokio::test]
async fn a_redis_user_of_few_rights_is_enough() {
    let redis =
        Redis::builder().aof().set("user", "postrider on >secret ~postrider:* &postrider:* +@all -@admin +config|get");
    let place = Place::sqlite().at_redis(redis.start().await);
    let port = place.redis_port();
    let place = place.with("QUEUE__URL", &format!("redis://postrider:secret@127.0.0.1:{port}/0"));
    place.ok(&["enqueue", "debug.noop"]).await;
    let (said, report) = examine(&place).await;
    assert_eq!(said.code, 0, "{report:#}");
    is(&report, "redis", "append-only file", "ok", "everysec");

    // One that may not write is told what it lacks.
    let url = format!("redis://reader:secret@127.0.0.1:{port}/0");
    place.ask_redis(&["ACL", "SETUSER", "reader", "on", ">secret", "+ping", "+time", "+info"]).await;
    let (said, report) = examine(&place.with("QUEUE__URL", &url)).await;
    assert_eq!(said.code, 1);
    is(&report, "queue", "counts", "fail", "");
}

#[tokio::test]
async fn fsync_left_to_the_system_is_warned_of() {
    let place = Place::sqlite().at_redis(Redis::builder().aof().set("appendfsync", "no").start().await);
    let (_, report) = examine(&place).await;
    is(&report, "redis", "append-only file", "warn", "appendfsync is no");
}

#[tokio::test]
async fn a_queue_that_is_away_fails_and_the_rest_is_looked_at_all_the_same() {
    let port = testkit::free_port();
    let place = Place::sqlite().with("QUEUE__URL", &format!("redis://127.0.0.1:{port}"));
    let (said, report) = examine(&place).await;
    assert_eq!(said.code, 1);
    is(&report, "queue", "reachable", "fail", "refused");
    assert!(!found(&report, "mail", "relay").is_empty());
}

#[tokio::test]
async fn every_master_of_a_cluster_is_looked_at() {
    let cluster = RedisCluster::start(3).await;
    let place = Place::sqlite().with("QUEUE__URL", &cluster.url());
    let (said, report) = examine(&place).await;
    assert_eq!(said.code, 0, "{report:#}");
    for name in ["version", "append-only file", "clock"] {
        assert_eq!(found(&report, "redis", name).len(), 3, "{report:#}");
    }
}

#[tokio::test]
async fn the_replicas_behind_sentinels_are_counted() {
    let sentinels = Sentinels::start(1).await;
    let place = Place::sqlite().with("QUEUE__URL", &sentinels.url()).with("QUEUE__REDIS__MIN_REPLICA_ACKS", "1");
    let (said, report) = examine(&place).await;
    assert_eq!(said.code, 0, "{report:#}");
    is(&report, "redis", "role", "ok", "master");
    is(&report, "redis", "replicas", "warn", "1 online, 1 must acknowledge");
}

#[tokio::test]
async fn a_replica_that_is_named_as_the_queue_fails() {
    let (master, replica) = tokio::join!(Redis::with_aof(), Redis::with_aof());
    replica.ask::<()>(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]).await;
    let (said, report) = examine(&Place::sqlite().at_redis(replica)).await;
    assert_eq!(said.code, 1);
    is(&report, "redis", "role", "fail", "replica");
}

#[tokio::test]
async fn a_paused_queue_is_pointed_out() {
    let place = Place::redis().await;
    place.ok(&["enqueue", "debug.noop"]).await;
    place.ok(&["queues", "pause", "debug"]).await;
    let (said, report) = examine(&place).await;
    assert_eq!(said.code, 0);
    is(&report, "queue", "waiting jobs", "warn", "debug is paused; 1 due jobs wait");
}

#[tokio::test]
async fn mail_is_judged_by_relay_senders_and_keys() {
    let key = |place: &Place, mode: u32| {
        place.write("dkim.pem", mail::DkimKey::generate().expect("a key").to_pem().expose_secret());
        let set = std::fs::set_permissions(place.dir.join("dkim.pem"), std::fs::Permissions::from_mode(mode));
        set.expect("the file is ours");
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let relay = format!("smtp://{}", listener.local_addr().unwrap());
    let place = Place::sqlite().with("MAIL__TRANSPORT", &relay).with("MAIL__DOMAIN", "example.com");
    let place = place.with("SECRETS__KEYS__K1", &"0123456789abcdef".repeat(4));
    let report = examine(&place).await.1;
    is(&report, "mail", "operators", "fail", "alerts.webhook is not set");
    is(&report, "mail", "links", "fail", "api.public_url is not set");
    let place = place.with("API__PUBLIC_URL", "https://jobs.example.com");
    let zone = mail::Zone::parse(
        "example.com. 60 IN TXT \"v=spf1 ip4:192.0.2.1 -all\"\n_dmarc.example.com. 60 IN TXT \"v=DMARC1; p=none\"\n",
    );
    let dns = mail::DnsServer::start(zone.unwrap()).await.unwrap();
    let place = place.with("ALERTS__MAIL_ONLY", "true").with("MAIL__DNS__SERVERS", &dns.addr().to_string());
    let (said, report) = examine(&place).await;
    assert_eq!(said.code, 1);
    is(&report, "mail", "relay", "ok", "takes connections");
    is(&report, "mail", "senders", "fail", "no key signs for example.com");

    let file = place.path("dkim.pem");
    let place = place.with("MAIL__DKIM__MAIN__SELECTOR", "s1").with("MAIL__DKIM__MAIN__KEY_FILE", &file);
    is(&examine(&place).await.1, "mail", "key main", "fail", "No such file");
    place.write("dkim.pem", "-----BEGIN NOTHING-----");
    is(&examine(&place).await.1, "mail", "key main", "fail", "dkim.pem");
    key(&place, 0o644);
    is(&examine(&place).await.1, "mail", "key main", "warn", "can be read by others");
    key(&place, 0o600);
    let (said, report) = examine(&place).await;
    assert_eq!(said.code, 1, "{report:#}");
    is(&report, "mail", "domain example.com", "fail", "dkim.record");
    is(&report, "mail", "key main", "ok", "2048 bits");
    is(&report, "mail", "senders", "ok", "bookings@example.com");

    drop(listener);
    let (said, report) = examine(&place).await;
    assert_eq!(said.code, 1);
    is(&report, "mail", "relay", "fail", "refused");
}

#[tokio::test]
async fn a_configuration_that_cannot_be_used_is_a_finding_with_exit_code_2() {
    let (said, report) = examine(&Place::sqlite().with("QUEUE__LEESE", "1s")).await;
    assert_eq!((said.code, &report["status"]), (2, &json!("fail")));
    is(&report, "configuration", "loads", "fail", "queue.leese");
}

#[tokio::test]
async fn people_read_it_by_area_with_what_to_do() {
    let place = Place::sqlite();
    let out = place.ok(&["doctor"]).await;
    assert!(out.starts_with("configuration\n  ok    loads"), "{out}");
    assert!(out.contains("\nmail\n  warn  relay") && out.contains("→ set mail.transport"), "{out}");
    assert!(out.trim_end().ends_with("to look at, nothing that fails."), "{out}");
    assert!(!out.contains('\u{1b}'), "{out}");
}
