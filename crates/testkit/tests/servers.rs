//! Each kind of server starts, answers, and can be disturbed the way the other tests need it.

use std::time::Duration;

use sqlx::{Connection, PgConnection};
use testkit::{Database, Redis, RedisCluster, Sentinels, wait_until};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn redis_answers_and_can_be_frozen_and_thawed() {
    let mut redis = Redis::start().await;
    redis.ask::<()>(&["SET", "a", "1"]).await;
    redis.freeze();
    redis.thaw();
    assert_eq!(redis.ask::<i64>(&["INCR", "a"]).await, 2);
    assert!(redis.memory().await > 100_000);
}

#[tokio::test]
async fn without_aof_a_kill_loses_everything_and_with_it_nothing() {
    let mut forgetful = Redis::start().await;
    forgetful.ask::<()>(&["SET", "a", "1"]).await;
    forgetful.kill().await;
    forgetful.start_again().await;
    assert_eq!(forgetful.ask::<Option<i64>>(&["GET", "a"]).await, None);

    let mut durable = Redis::with_aof().await;
    durable.ask::<()>(&["SET", "a", "1"]).await;
    durable.kill().await;
    durable.start_again().await;
    durable.restart().await;
    assert_eq!(durable.ask::<Option<i64>>(&["GET", "a"]).await, Some(1));
}

#[tokio::test]
async fn redis_refuses_what_exceeds_its_memory() {
    let redis = Redis::start().await;
    redis.config_set("maxmemory", "100kb").await;
    let refused = redis.try_ask(&["SET", "a", "1"]).await.expect_err("the memory is full");
    assert!(refused.to_string().contains("OOM") || refused.to_string().contains("maxmemory"), "{refused}");
    redis.config_set("maxmemory", "0").await;
    redis.ask::<()>(&["SET", "a", "1"]).await;
}

#[tokio::test]
async fn slow_commands_are_noted_and_connections_can_be_killed() {
    let redis = Redis::start().await;
    redis.watch_slow(Duration::from_millis(5)).await;
    redis.ask::<()>(&["DEBUG", "SLEEP", "0.02"]).await;
    let slow = redis.slow_commands().await;
    assert_eq!(slow[0].words[..2], ["DEBUG", "SLEEP"]);
    assert!(slow[0].took >= Duration::from_millis(20));
    assert!(redis.kill_connections().await >= 0);
}

#[tokio::test]
async fn redis_speaks_tls_with_a_user_and_a_certificate_of_its_own() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let redis = Redis::builder().tls().user("app", "s3cret").start().await;
    assert!(redis.url().starts_with("rediss://app:s3cret@127.0.0.1:"));
    let ca = std::fs::read(redis.ca_file().expect("it has one")).expect("the file is there");
    let certificates = redis::TlsCertificates { client_tls: None, root_cert: Some(ca) };
    let client = redis::Client::build_with_tls(redis.url(), certificates).expect("the certificates are PEM");
    let mut connection = testkit::connection(&client).await.expect("TLS and login work");
    let who: String = redis::cmd("ACL").arg("WHOAMI").query_async(&mut connection).await.expect("it answers");
    assert_eq!(who, "app");

    let stranger = redis::Client::open(redis.url()).expect("the URL is right");
    assert!(testkit::connection(&stranger).await.is_err(), "an unknown authority is not trusted");
}

#[tokio::test]
async fn a_cluster_of_three_serves_every_slot() {
    let mut cluster = RedisCluster::start(3).await;
    assert!(cluster.url().starts_with("redis+cluster://127.0.0.1:"));
    let ports: Vec<u16> = cluster.nodes().iter().map(Redis::port).collect();
    let seeds: Vec<String> = ports.iter().map(|port| format!("redis://127.0.0.1:{port}")).collect();
    let client = redis::cluster::ClusterClient::new(seeds).expect("the seeds are URLs");
    let mut connection = client.get_async_connection().await.expect("the Cluster answers");
    for i in 0..100 {
        let (key, value) = (format!("k{i}"), i);
        redis::cmd("SET").arg(&key).arg(value).exec_async(&mut connection).await.expect("every slot is served");
    }
}

#[tokio::test]
async fn sentinels_replace_a_killed_master_by_a_replica_that_has_its_data() {
    let mut sentinels = Sentinels::start(1).await;
    let old = sentinels.master_port().await;
    let master = sentinels.master().await;
    master.ask::<()>(&["SET", "a", "1"]).await;
    assert_eq!(master.ask::<i64>(&["WAIT", "1", "5000"]).await, 1);
    let new = sentinels.kill_master().await;
    assert_ne!(new, old);
    let master = sentinels.master().await;
    assert_eq!(master.ask::<i64>(&["INCR", "a"]).await, 2);

    let returned = sentinels.servers().iter_mut().find(|server| server.port() == old).expect("it is ours");
    returned.start_again().await;
    wait_until("the old master follows the new one", SOON, async || {
        returned.info("role").await.as_deref() == Some("slave")
    })
    .await;
}

#[tokio::test]
async fn sentinels_fail_over_when_asked_and_the_old_master_follows() {
    let mut sentinels = Sentinels::start(1).await;
    let old = sentinels.master_port().await;
    let new = sentinels.fail_over().await;
    assert_ne!(new, old);
    assert_eq!(sentinels.master().await.port(), new);
}

#[tokio::test]
async fn each_test_has_a_postgres_database_of_its_own() {
    let (a, b) = tokio::join!(Database::create(), Database::create());
    assert_ne!(a.url(), b.url());
    let mut connection = PgConnection::connect(a.url()).await.expect("the database is there");
    sqlx::query("CREATE TABLE t (x int)").execute(&mut connection).await.expect("it is ours");
    assert_eq!(a.kill_connections().await, 1);
    let mut other = PgConnection::connect(b.url()).await.expect("the database is there");
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        .fetch_one(&mut other)
        .await
        .expect("it answers");
    assert_eq!(tables, 0);
}
