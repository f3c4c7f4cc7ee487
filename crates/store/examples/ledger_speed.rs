#![allow(clippy::all, clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]
use std::time::{Duration, Instant};
use store::*;
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let url = std::env::args().nth(1).unwrap();
    let n: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    let conc: usize = std::env::args().nth(3).unwrap().parse().unwrap();
    let store = Store::open(&StoreConfig::new(url)).await.unwrap();
    store.migrate().await.unwrap();
    let now: jiff::Timestamp = "2027-03-01T09:00:00Z".parse().unwrap();
    let seed: u128 = std::process::id() as u128;
    let id = move |i: usize| uuid::Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 + (seed << 32) + i as u128);
    let t = Instant::now();
    for c in 0..n / 500 {
        let v: Vec<_> = (0..500).map(|k| { let i = c * 500 + k; NewDelivery { id: id(i), idempotency_key: format!("{seed}:k{i}"), template: "t".into(), sender: "bookings".into(), class: "booking".into(), recipient: format!("p{i}@x.test"), recipient_name: None, data: serde_json::json!({"service":"Piano, beginners","student":{"name":"Zoe"},"starts_at":"2027-03-01T09:00:00Z"}), booking_id: Some(format!("bk{i}")), job_id: id(i), deadline: None } }).collect();
        store.insert_deliveries(&v, now).await.unwrap();
    }
    println!("insert {:.0}/s", n as f64 / t.elapsed().as_secs_f64());
    let t = Instant::now();
    let next = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let mut tasks = vec![];
    for _ in 0..conc {
        let (store, next) = (store.clone(), next.clone());
        tasks.push(tokio::spawn(async move {
            let mut split = [Duration::ZERO; 3];
            loop {
                let i = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if i >= n { return split; }
                let t = Instant::now();
                store.begin_sending(id(i), 5, now).await.unwrap();
                split[0] += t.elapsed(); let t = Instant::now();
                store.mark_data(id(i), 5, &OnTheWire { message_id: "<a@b>".into(), subject: "Your lesson".into() }, now).await.unwrap();
                split[1] += t.elapsed(); let t = Instant::now();
                store.mark_sent(id(i), 5, &AttemptReport { relay: Some("r".into()), code: Some(250), text: Some("OK".into()), ..Default::default() }, now).await.unwrap();
                split[2] += t.elapsed();
            }
        }));
    }
    let mut split = [Duration::ZERO; 3];
    for t in tasks { let s = t.await.unwrap(); for k in 0..3 { split[k] += s[k]; } }
    println!("mails {:.0}/s  mean {:?}", n as f64 / t.elapsed().as_secs_f64(), split.map(|d| d / n as u32));
}
