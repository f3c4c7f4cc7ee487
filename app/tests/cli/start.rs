//! How `api` and `worker` start: the store's tables, addresses, what answers where, and what nobody starts with.

use std::process::Stdio;
use std::time::Duration;

use testkit::{Database, free_port, wait_until};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{POSTRIDER, Place};

const SOON: Duration = Duration::from_secs(30);

/// Status and body of a page.
async fn get(port: u16, path: &str) -> Option<(u16, String)> {
    let answer = reqwest::get(format!("http://127.0.0.1:{port}{path}")).await.ok()?;
    Some((answer.status().as_u16(), answer.text().await.ok()?))
}

/// A place whose API listens here.
fn listening(place: Place, port: u16) -> Place {
    let free = || format!("127.0.0.1:{}", free_port());
    place.with("API__LISTEN", &format!("127.0.0.1:{port}")).with("API__METRICS_LISTEN", &free())
}

#[tokio::test]
async fn an_api_brings_the_stores_tables_up_to_date_when_it_starts() {
    let port = free_port();
    let place = listening(Place::sqlite(), port);
    let mut api = place.process(&["api"]).spawn();
    api.ready(port, "/readyz", SOON).await;
}

#[tokio::test]
async fn without_migrate_on_start_missing_migrations_are_a_mistake_of_whoever_starts() {
    let database = Database::create().await;
    let sqlite = Place::sqlite().with("STORE__MIGRATE_ON_START", "false");
    let postgres = Place::sqlite().with("STORE__MIGRATE_ON_START", "false").with("STORE__URL", database.url());
    for place in [listening(sqlite, free_port()), listening(postgres, free_port())] {
        for role in ["api", "worker"] {
            place.run(&[role]).await.refused(2, &["postrider migrate", "store.migrate_on_start"]);
        }
        place.ok(&["migrate"]).await;
        let worker = place.process(&["worker"]).spawn();
        wait_until("the worker to start", SOON, async || worker.log().contains("worker ready")).await;
    }
}

#[tokio::test]
async fn a_store_that_is_away_keeps_nobody_from_starting_and_is_migrated_when_it_is_back() {
    let (database, at, port) = (Database::create().await, free_port(), free_port());
    let (user, server) = database.url().split_once("://").unwrap().1.split_once('@').unwrap();
    let (server, name) = server.split_once('/').unwrap();
    let place = listening(Place::sqlite(), port)
        .with("STORE__URL", &format!("postgres://{user}@127.0.0.1:{at}/{name}"))
        .with("STORE__ACQUIRE_TIMEOUT", "500ms");
    let _api = place.process(&["api"]).spawn();
    let worker = place.process(&["worker"]).spawn();
    wait_until("the worker to start", SOON, async || worker.log().contains("worker ready")).await;
    wait_until("the API to say what is down", SOON, async || {
        get(port, "/readyz").await.is_some_and(|(status, body)| status == 503 && body.contains("store"))
    })
    .await;

    // The store is back: the port leads to the server now.
    let listener = TcpListener::bind(("127.0.0.1", at)).await.unwrap();
    let server = server.to_owned();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let server = server.clone();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(server).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    wait_until("the API to be ready", SOON, async || {
        get(port, "/readyz").await.is_some_and(|(status, _)| status == 200)
    })
    .await;
}

#[tokio::test]
async fn without_migrate_on_start_a_store_that_is_away_is_ridden_out_too() {
    let place = listening(Place::sqlite(), free_port())
        .with("STORE__URL", &format!("postgres://nobody@127.0.0.1:{}/none", free_port()))
        .with("STORE__ACQUIRE_TIMEOUT", "500ms")
        .with("STORE__MIGRATE_ON_START", "false");
    let worker = place.process(&["worker"]).spawn();
    wait_until("the worker to start", SOON, async || worker.log().contains("worker ready")).await;
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_with_its_key_and_an_example() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let place = listening(Place::sqlite(), free_port()).with("API__METRICS_LISTEN", &address);
    let example = "POSTRIDER__API__METRICS_LISTEN=127.0.0.1:";
    place.run(&["api"]).await.refused(1, &["api.metrics_listen", &address, example]);
    let place = place.with("WORKER__METRICS_LISTEN", &address);
    let example = "POSTRIDER__WORKER__METRICS_LISTEN=127.0.0.1:";
    place.run(&["worker"]).await.refused(1, &["worker.metrics_listen", &address, example]);
}

#[tokio::test]
async fn a_worker_tells_its_health_beside_its_figures() {
    let port = free_port();
    let place = Place::sqlite().with("WORKER__METRICS_LISTEN", &format!("127.0.0.1:{port}"));
    let mut worker = place.process(&["worker"]).spawn();
    for path in ["/healthz", "/readyz", "/metrics"] {
        worker.ready(port, path, SOON).await;
    }
}

#[tokio::test]
async fn dev_ends_when_told_although_nobody_reads_what_it_says() {
    let place = Place::sqlite();
    let mut dev = tokio::process::Command::new(POSTRIDER)
        .args(["dev", "--port", &free_port().to_string(), "--data", "d"])
        .current_dir(&place.dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    // Its readers go away before it has said a word.
    drop((dev.stdout.take(), dev.stderr.take()));
    wait_until("its folder to be in use", SOON, async || place.dir.join("d/dev.lock").exists()).await;
    wait_until("its queue to be made", SOON, async || place.dir.join("d/queue.db").exists()).await;
    let id = dev.id().unwrap().to_string();
    // Before its handler stands the signal ends it at once, after that softly: either way it ends.
    tokio::process::Command::new("kill").args(["-TERM", &id]).status().await.unwrap();
    tokio::time::timeout(SOON, dev.wait()).await.expect("it ends").unwrap();
}

#[tokio::test]
async fn two_devs_do_not_share_a_folder() {
    let place = Place::sqlite();
    let port = free_port();
    let place = place.without_urls();
    let mut first = place.process(&["dev", "--port", &port.to_string(), "--data", "d"]).spawn();
    first.ready(port, "/readyz", SOON).await;
    let second = place.run(&["dev", "--port", &free_port().to_string(), "--data", "d"]).await;
    second.refused(2, &["--data d", "another `postrider dev`"]);
}

#[tokio::test]
async fn nothing_starts_whose_mails_would_wait_for_ever_or_carry_dead_links() {
    let place = Place::sqlite()
        .with("MAIL__TRANSPORT", "smtp://127.0.0.1:1")
        .with("MAIL__DOMAIN", "example.com")
        .with("SECRETS__KEYS__K1", &"0123456789abcdef".repeat(4))
        .with("ALERTS__MAIL_ONLY", "true");
    let place = listening(place, free_port());
    for role in ["api", "worker"] {
        place.run(&[role]).await.refused(2, &["api.public_url is not set", "https://jobs.example.com"]);
    }
    let place = place.with("API__PUBLIC_URL", "https://jobs.example.com");
    let misspelt = place.with("MAIL__SENDERS__HELLO__SELECTOR", "zz");
    misspelt.run(&["worker"]).await.refused(2, &["mail.senders.hello.selector", "no key of example.com"]);
}
