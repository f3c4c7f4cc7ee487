//! A full memory, and what a script left half done.

use std::sync::Arc;
use std::time::Duration;

use job::{Clock, JobState, ManualClock};
use queue::redis::RedisSettings;
use queue::{Broker, BrokerError, Finish, FinishResult, Reservation, Settings, Time};
use testkit::{Redis, wait_until};

use crate::seat::{SOON, Seat, request};

fn with_clock(redis: &Redis) -> (Seat, ManualClock) {
    let clock = ManualClock::at("2026-11-23T10:00:00Z".parse().unwrap());
    let settings = Settings { time: Time::Virtual(Arc::new(clock.clone())), ..Settings::default() };
    (Seat::with(&redis.url(), RedisSettings::default(), settings), clock)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idempotency_keys_whose_day_is_over_make_room() {
    let redis = Redis::builder().set("maxmemory-policy", "noeviction").start().await;
    let (seat, clock) = with_clock(&redis);
    let reserve = async |n: usize| {
        let key = format!("{n}-{}", "x".repeat(200));
        seat.broker.reserve("key POST /v1/jobs", &key, [7; 32], seat.job().id).await
    };
    assert_eq!(reserve(0).await.unwrap(), Reservation::New);
    redis.config_set("maxmemory", &(redis.memory().await + 3_000_000).to_string()).await;
    let mut n = 0;
    let refused = loop {
        n += 1;
        match reserve(n).await {
            Ok(answer) => assert_eq!(answer, Reservation::New),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, BrokerError::Unavailable(_)), "{refused}");
    assert!(seat.broker.ping().await.is_err(), "a full memory is not ready");
    // Fuller than full: no allowance is left for the first few.
    redis.config_set("maxmemory", &(redis.memory().await - 500_000).to_string()).await;
    clock.advance(Duration::from_secs(24 * 3600));
    wait_until("there is room again", SOON, async || {
        seat.broker.maintain(&seat.queue).await.unwrap();
        reserve(n).await.is_ok()
    })
    .await;
    seat.broker.ping().await.unwrap();
    assert_eq!(seat.put().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_completed_job_that_was_left_among_the_running_is_not_run_again() {
    let redis = Redis::start().await;
    let (seat, clock) = with_clock(&redis);
    seat.put_many(2).await;
    let leased = seat.broker.exchange(&seat.queue, &[], Some(request(2))).await.unwrap().leased;
    // As a script leaves it that breaks off after the first of its writes.
    let id = leased[0].lease.id;
    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = testkit::connection(&client).await.unwrap();
    let key = format!("{}m", seat.broker.base(&seat.queue));
    let mut m: Vec<u8> =
        redis::cmd("HGET").arg(&key).arg(&id.as_bytes()[..]).query_async(&mut connection).await.unwrap();
    m[0] = b'C';
    m[21..29].copy_from_slice(&clock.now_ms().to_le_bytes());
    redis::cmd("HSET").arg(&key).arg(&id.as_bytes()[..]).arg(m).exec_async(&mut connection).await.unwrap();
    let mut reaped = 0;
    for _ in 0..400 {
        clock.advance(Duration::from_secs(4));
        reaped += seat.broker.maintain(&seat.queue).await.unwrap().reaped;
    }
    assert_eq!(reaped, 1, "the other one's worker was lost");
    assert_eq!(seat.broker.get(id).await.unwrap().unwrap().state, JobState::Completed);
    assert_eq!((seat.count(JobState::Completed).await, seat.count(JobState::Running).await), (1, 0));
    let again = seat.broker.exchange(&seat.queue, &[], Some(request(2))).await.unwrap().leased;
    assert_eq!(again.iter().map(|leased| leased.lease.id).collect::<Vec<_>>(), [leased[1].lease.id]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_history_cannot_be_read_is_one_bad_job_and_not_a_lost_batch() {
    let redis = Redis::start().await;
    let seat = Seat::at(&redis.url());
    seat.put_many(3).await;
    let leased = seat.broker.exchange(&seat.queue, &[], Some(request(3))).await.unwrap().leased;
    let retried = |leased: &queue::Leased| Finish {
        lease: leased.lease,
        disposition: queue::Disposition::Retry { delay: Duration::ZERO, error: "first".to_owned() },
        priority: job::Priority::default(),
        unique: None,
    };
    let finishes: Vec<Finish> = leased.iter().map(retried).collect();
    let done = seat.broker.exchange(&seat.queue, &finishes, None).await.unwrap().finished;
    assert_eq!(done, [FinishResult::Done; 3]);
    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = testkit::connection(&client).await.unwrap();
    let (key, id) = (format!("{}m", seat.broker.base(&seat.queue)), leased[1].lease.id);
    let mut m: Vec<u8> =
        redis::cmd("HGET").arg(&key).arg(&id.as_bytes()[..]).query_async(&mut connection).await.unwrap();
    m.truncate(35);
    redis::cmd("HSET").arg(&key).arg(&id.as_bytes()[..]).arg(m).exec_async(&mut connection).await.unwrap();
    let again = seat.broker.exchange(&seat.queue, &[], Some(request(3))).await.unwrap().leased;
    assert_eq!(again.len(), 3);
    for leased in &again {
        assert_eq!(leased.envelope.is_err(), leased.lease.id == id);
    }
    let dead = |leased: &queue::Leased| Finish {
        disposition: queue::Disposition::Dead { error: "broken".to_owned() },
        ..retried(leased)
    };
    let finishes: Vec<Finish> = again.iter().map(dead).collect();
    let done = seat.broker.exchange(&seat.queue, &finishes, None).await.unwrap().finished;
    assert_eq!(done, [FinishResult::Done; 3]);
    assert_eq!(seat.broker.get(id).await.unwrap().unwrap().errors.len(), 1);
}
