//! A Cluster: its client repeats what it lost an answer to, and one node may be away while the others are well.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use job::{JobId, JobState, QueueName};
use queue::redis::RedisSettings;
use queue::{Broker, BrokerError, Cancelled, Settings};
use testkit::{RedisCluster, wait_until};
use tokio_util::sync::CancellationToken;

use crate::seat::{SOON, Seat, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_call_that_arrives_twice_leases_once() {
    let cluster = RedisCluster::start(3).await;
    let seat = Seat::at(&cluster.url());
    seat.put_many(6).await;
    let twice = request(3);
    let first = seat.broker.exchange(&seat.queue, &[], Some(twice)).await.unwrap();
    assert_eq!(first.leased.len(), 3);
    let again = seat.broker.exchange(&seat.queue, &[], Some(twice)).await;
    assert!(matches!(again, Err(BrokerError::Unavailable(_))), "the caller disowns: {again:?}");
    assert_eq!(seat.count(JobState::Running).await, 3);
    assert_eq!(seat.broker.disown(&seat.queue, twice.token).await.unwrap(), 3);
    assert_eq!(seat.broker.exchange(&seat.queue, &[], Some(request(10))).await.unwrap().leased.len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_cut_under_load_leak_no_lease() {
    const JOBS: usize = 3_000;
    let mut cluster = RedisCluster::start(3).await;
    let seat = Arc::new(Seat::at(&cluster.url()));
    seat.put_many(JOBS).await;
    let (enough, known) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (seat, enough, known) = (Arc::clone(&seat), enough.clone(), Arc::clone(&known));
        workers.spawn(async move {
            let mut got: Vec<JobId> = Vec::new();
            while !enough.is_cancelled() {
                let request = request(3);
                match seat.broker.exchange(&seat.queue, &[], Some(request)).await {
                    Ok(exchange) => {
                        known.fetch_add(exchange.leased.len(), Ordering::SeqCst);
                        got.extend(exchange.leased.iter().map(|leased| leased.lease.id));
                    }
                    Err(_) => while seat.broker.disown(&seat.queue, request.token).await.is_err() {},
                }
            }
            got
        });
    }
    let nodes = cluster.nodes();
    // Not those that are running: a lost answer's jobs run too, until they are disowned.
    wait_until("every job is known to a worker", SOON, async || {
        for node in nodes.iter() {
            node.kill_connections().await;
        }
        known.load(Ordering::SeqCst) >= JOBS
    })
    .await;
    enough.cancel();
    let got: Vec<JobId> = workers.join_all().await.into_iter().flatten().collect();
    assert_eq!(got.len(), JOBS, "each leased job is known to a worker");
    assert_eq!(got.into_iter().collect::<HashSet<_>>().len(), JOBS, "and to one only");
    assert_eq!(seat.count(JobState::Running).await, JOBS as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_node_stops_its_own_queues_only() {
    let mut cluster = RedisCluster::start(3).await;
    let queues: Vec<QueueName> = (0..12).map(|n| QueueName::new(&format!("queue-{n}")).unwrap()).collect();
    let settings = Settings { queues: queues.clone(), ..Settings::default() };
    let redis = RedisSettings { response_timeout: Duration::from_secs(5), ..RedisSettings::default() };
    let seat = Seat::with(&cluster.url(), redis, settings);
    let nodes = cluster.nodes();
    for node in nodes.iter() {
        node.config_set("cluster-require-full-coverage", "no").await;
    }
    let mut jobs = Vec::new();
    for queue in &queues {
        let job = seat.job_in(queue);
        seat.broker.enqueue(&[job.clone().into()]).await.unwrap();
        jobs.push(job.id);
    }
    // The names of all queues lie on this node, and some queues.
    let home = async |key: &str| {
        let slot: usize = nodes[0].ask(&["CLUSTER", "KEYSLOT", key]).await;
        (0..3).find(|n| slot < 16_384 * (n + 1) / 3).unwrap()
    };
    let lost = home("postrider:queues").await;
    let mut homes = Vec::new();
    for queue in &queues {
        homes.push(home(&seat.broker.base(queue)).await);
    }
    assert!(homes.contains(&lost) && homes.iter().any(|home| *home != lost), "{homes:?}");
    nodes[lost].kill().await;
    wait_until("the others notice", SOON, async || {
        let mut noticed = true;
        for (n, node) in nodes.iter().enumerate().filter(|(n, _)| *n != lost) {
            let known: String = node.ask(&["CLUSTER", "NODES"]).await;
            noticed &= n == lost || known.lines().any(|line| line.contains("fail ") || line.contains(",fail"));
        }
        noticed
    })
    .await;
    seat.broker.ping().await.unwrap();
    for ((queue, id), home) in queues.iter().zip(jobs).zip(homes) {
        let mut tried = seat.broker.enqueue(&[seat.job_in(queue).into()]).await.map(|_| ());
        if home == lost {
            assert!(matches!(tried, Err(BrokerError::Unavailable(_))), "{tried:?}");
            continue;
        }
        if tried.is_err() {
            // The first call may meet the connection that broke.
            tried = seat.broker.enqueue(&[seat.job_in(queue).into()]).await.map(|_| ());
        }
        tried.unwrap();
        assert_eq!(seat.broker.get(id).await.unwrap().unwrap().state, JobState::Available);
        assert_eq!(seat.broker.cancel(id).await.unwrap(), Cancelled::Now);
        seat.broker.redrive(id).await.unwrap();
        seat.broker.maintain(queue).await.unwrap();
        assert!(!seat.broker.exchange(queue, &[], Some(request(5))).await.unwrap().leased.is_empty());
    }
}
