//! What a queue in a file promises beyond the common rules: it is all there after the end of the process, several
//! processes may share it, and a file that is no queue of ours is refused.

use std::sync::Arc;

use job::{JobState, ManualClock};
use queue::sqlite::SqliteBroker;
use queue::{Broker, BrokerError, Enqueued, Filter, Redriven, Reservation, Settings, Time};

use sqlx::Connection;

use crate::backend::SqliteInAFile;
use crate::stage::*;

async fn open(path: &std::path::Path) -> Result<SqliteBroker, BrokerError> {
    SqliteBroker::open(path.to_str().unwrap(), Settings::default()).await
}

#[tokio::test]
async fn everything_is_there_after_the_file_was_closed_and_opened_again() {
    let file = SqliteInAFile::new();
    let clock = ManualClock::at("2026-11-23T10:00:00Z".parse().unwrap());
    let settings = Settings { time: Time::Virtual(Arc::new(clock)), ..Settings::default() };
    let path = file.path.clone();
    let s = Stage::set(file).await;
    let completed_id = s.ended(s.job(), queue::Disposition::Completed { result: Some("7".into()) }).await;
    let dead_id = s.ended(s.job_under("k", HOUR), dead()).await;
    let running = s.put(s.job()).await;
    let leased = s.lease_one().await;
    let scheduled = s.put(s.job_after(HOUR)).await;
    let available = s.put(s.job()).await;
    s.broker.reserve("scope", "key", [1; 32], available).await.unwrap();
    s.broker.pause(&s.other).await.unwrap();
    let before = format!("{:?}", s.broker.list(&Filter::default(), 100, None).await.unwrap().items);

    let again = SqliteBroker::open(path.to_str().unwrap(), settings).await.unwrap();
    drop(s.broker);
    let after = format!("{:?}", again.list(&Filter::default(), 100, None).await.unwrap().items);
    assert_eq!(before, after);
    for (id, state) in [
        (completed_id, JobState::Completed),
        (dead_id, JobState::Dead),
        (running, JobState::Running),
        (scheduled, JobState::Scheduled),
        (available, JobState::Available),
    ] {
        assert_eq!(again.get(id).await.unwrap().unwrap().state, state);
    }
    let stats = again.stats().await.unwrap();
    assert_eq!(stats.iter().find(|stats| stats.queue.as_str() == "emails").unwrap().counts, [1, 1, 1, 1, 1, 0, 0]);
    assert!(stats.iter().find(|stats| stats.queue.as_str() == "reports").unwrap().paused);
    let finished = again.exchange(&leased.envelope.as_ref().unwrap().queue, &[end(&leased, completed())], None).await;
    assert_eq!(finished.unwrap().finished, [queue::FinishResult::Done]);
    assert_eq!(again.reserve("scope", "key", [1; 32], running).await.unwrap(), Reservation::Same(available));
    assert_eq!(again.redrive(dead_id).await.unwrap(), Redriven::Now);
}

#[tokio::test]
async fn a_closed_queue_says_so_and_leaves_one_whole_file() {
    let file = SqliteInAFile::new();
    let broker = file.handle(Settings::default()).await;
    broker.ping().await.unwrap();
    broker.close().await;
    assert!(matches!(broker.ping().await, Err(BrokerError::Unavailable(_))));
    assert!(matches!(broker.stats().await, Err(BrokerError::Unavailable(_))));
    assert!(!file.path.with_extension("db-wal").exists(), "the log is in the file");
}

#[tokio::test]
async fn two_handles_on_one_file_write_at_the_same_time() {
    let s = Arc::new(Stage::set(SqliteInAFile::new()).await);
    let other = s.handle().await;
    let mut writers = tokio::task::JoinSet::new();
    for n in 0..6 {
        let (s, other) = (Arc::clone(&s), Arc::clone(&other));
        writers.spawn(async move {
            for _ in 0..20 {
                let broker = if n % 2 == 0 { &other } else { &s.broker };
                assert_eq!(broker.enqueue(&[s.job().into()]).await.unwrap(), [Enqueued::New]);
            }
        });
    }
    writers.join_all().await;
    assert_eq!(s.count(JobState::Available).await, 120);
    assert_eq!(other.list(&Filter::default(), 1_000, None).await.unwrap().items.len(), 120);
}

#[tokio::test]
async fn a_file_of_an_older_release_is_brought_up_to_date() {
    let file = SqliteInAFile::new();
    file.handle(Settings::default()).await.close().await;
    let url = format!("sqlite:{}", file.path.display());
    let mut old = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("ALTER TABLE once_ids DROP COLUMN job; PRAGMA user_version = 1").execute(&mut old).await.unwrap();
    old.close().await.unwrap();
    let s = Stage::set(file).await;
    let job = queue::Enqueue { envelope: s.job(), once: true };
    let id = job.envelope.id;
    let call = [job.clone(), job];
    assert_eq!(s.broker.enqueue(&call).await.unwrap(), [Enqueued::New, Enqueued::Duplicate(id)]);
}

#[tokio::test]
async fn a_file_of_a_newer_release_is_refused() {
    let file = SqliteInAFile::new();
    file.handle(Settings::default()).await.close().await;
    // https://www.sqlite.org/fileformat.html §1.3: the user version is at offset 60.
    let mut bytes = std::fs::read(&file.path).unwrap();
    assert_eq!(bytes[60..64], [0, 0, 0, 2]);
    bytes[63] = 3;
    std::fs::write(&file.path, bytes).unwrap();
    let refused = open(&file.path).await.err().expect("it is refused");
    assert!(matches!(&refused, BrokerError::Invalid(why) if why.contains("version 3")), "{refused}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let file = SqliteInAFile::new();
    std::fs::write(&file.path, "Dear diary, ".repeat(1_000)).unwrap();
    assert!(matches!(open(&file.path).await, Err(BrokerError::Corrupt(_))));
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_told() {
    let file = SqliteInAFile::new();
    let nowhere = file.path.with_file_name("no").join("such").join("queue.db");
    assert!(matches!(open(&nowhere).await, Err(BrokerError::Unavailable(_))));
}
