//! Finds the meter of a label set without building strings; makes it the first time.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use metrics::{Counter, counter, gauge};

use super::{
    ALERT_MESSAGES, ALERTS, DELIVERIES, HEARTBEAT, HttpMeter, JobMeter, QueueMeter, SCHEDULE_TICKS, SCHEDULER_LEADING,
};

/// All meters of a process. Cheap to clone.
///
/// Hold on to the `Arc` that a look-up gives where the labels stay the same (a worker's loop over one queue); elsewhere look
/// it up again: that costs a shared lock and two hashes.
#[derive(Clone, Default)]
pub struct Meters(Arc<Maps>);

#[derive(Default)]
struct Maps {
    jobs: Nested<JobMeter>,
    queues: RwLock<HashMap<String, Arc<QueueMeter>>>,
    http: Nested<HttpMeter>,
    deliveries: RwLock<HashMap<String, Counter>>,
    alerts: RwLock<HashMap<String, Counter>>,
    messages: RwLock<HashMap<String, Counter>>,
    ticks: Nested<Counter>,
}

/// Outer label, inner label: two `&str` look-ups, where a key of two strings would have to be built to be asked for.
type Nested<M> = RwLock<HashMap<String, HashMap<String, Arc<M>>>>;

/// Values of one label beyond this many are counted together as [`OTHER`]: what comes from outside must not grow the
/// memory of every process and of Prometheus.
const MOST_VALUES: usize = 512;
const OTHER: &str = "other";

impl Meters {
    /// The meter of a kind in a queue.
    #[must_use]
    pub fn job(&self, queue: &str, kind: &str) -> Arc<JobMeter> {
        nested(&self.0.jobs, queue, kind, JobMeter::new)
    }

    /// The meter of a queue.
    #[must_use]
    pub fn queue(&self, queue: &str) -> Arc<QueueMeter> {
        flat(&self.0.queues, queue, |queue| Arc::new(QueueMeter::new(queue)))
    }

    /// The meter of a route, given as its pattern (`/v1/jobs/{id}`), never as the path that was asked for.
    #[must_use]
    pub fn http(&self, method: &str, route: &str) -> Arc<HttpMeter> {
        nested(&self.0.http, route, method, |route, method| HttpMeter::new(method, route))
    }

    /// Counts a delivery that reached `state`.
    pub fn delivery(&self, state: &str) {
        flat(&self.0.deliveries, state, |state| counter!(DELIVERIES, "state" => state.to_owned())).increment(1);
    }

    /// Counts an alert by what it did.
    pub fn alert(&self, outcome: &str) {
        flat(&self.0.alerts, outcome, |outcome| counter!(ALERTS, "outcome" => outcome.to_owned())).increment(1);
    }

    /// Counts messages about incidents by what became of them: mail, post, held, digest.
    pub fn alert_messages(&self, what: &str, count: u64) {
        flat(&self.0.messages, what, |what| counter!(ALERT_MESSAGES, "what" => what.to_owned())).increment(count);
    }

    /// Counts a tick of a schedule; `state` says what was decided: open, waiting, skipped.
    pub fn tick(&self, schedule: &str, state: &str) {
        let make = |schedule: &str, state: &str| counter!(SCHEDULE_TICKS, "schedule" => schedule.to_owned(), "state" => state.to_owned());
        nested(&self.0.ticks, schedule, state, make).increment(1);
    }

    /// Notes whether this process's scheduler leads.
    pub fn leading(&self, yes: bool) {
        gauge!(SCHEDULER_LEADING).set(f64::from(u8::from(yes)));
    }

    /// Notes that the platform's heartbeat ran, at so many milliseconds since the Unix epoch.
    pub fn heartbeat(&self, at_ms: i64) {
        gauge!(HEARTBEAT).set(at_ms as f64 / 1_000.0);
    }
}

fn flat<M: Clone>(map: &RwLock<HashMap<String, M>>, name: &str, make: impl FnOnce(&str) -> M) -> M {
    if let Some(meter) = map.read().unwrap_or_else(PoisonError::into_inner).get(name) {
        return meter.clone();
    }
    let mut map = map.write().unwrap_or_else(PoisonError::into_inner);
    let name = if map.len() < MOST_VALUES || map.contains_key(name) { name } else { OTHER };
    if let Some(meter) = map.get(name) {
        return meter.clone();
    }
    let meter = make(name);
    map.insert(name.to_owned(), meter.clone());
    meter
}

fn nested<M>(map: &Nested<M>, outer: &str, inner: &str, make: impl FnOnce(&str, &str) -> M) -> Arc<M> {
    if let Some(meter) =
        map.read().unwrap_or_else(PoisonError::into_inner).get(outer).and_then(|inners| inners.get(inner))
    {
        return Arc::clone(meter);
    }
    let mut map = map.write().unwrap_or_else(PoisonError::into_inner);
    let outer = if map.len() < MOST_VALUES || map.contains_key(outer) { outer } else { OTHER };
    let inners = map.entry(outer.to_owned()).or_default();
    let inner = if inners.len() < MOST_VALUES || inners.contains_key(inner) { inner } else { OTHER };
    Arc::clone(inners.entry(inner.to_owned()).or_insert_with(|| Arc::new(make(outer, inner))))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{MOST_VALUES, Meters};
    use crate::metrics::recorder::rendered;

    #[test]
    fn the_same_labels_give_the_same_meter() {
        let meters = Meters::default();
        assert!(Arc::ptr_eq(&meters.job("a", "k"), &meters.job("a", "k")));
        assert!(!Arc::ptr_eq(&meters.job("a", "k"), &meters.job("b", "k")));
        assert!(Arc::ptr_eq(&meters.clone().queue("a"), &meters.queue("a")));
    }

    #[test]
    fn kinds_from_outside_do_not_grow_without_bound() {
        let text = rendered(|| {
            let meters = Meters::default();
            (0..MOST_VALUES + 100).for_each(|i| meters.job("q", &format!("k{i}")).enqueued(1));
        });
        assert!(text.contains(r#"postrider_jobs_enqueued_total{queue="q",kind="other"} 100"#));
        assert_eq!(text.matches("postrider_jobs_enqueued_total{").count(), MOST_VALUES + 1);
    }

    #[test]
    fn ticks_leads_and_heartbeats_are_shown() {
        let text = rendered(|| {
            let meters = Meters::default();
            meters.tick("nightly", "open");
            meters.tick("nightly", "open");
            meters.leading(true);
            meters.heartbeat(1_796_000_000_500);
        });
        assert!(text.contains(r#"postrider_schedule_ticks_total{schedule="nightly",state="open"} 2"#), "{text}");
        assert!(text.contains("postrider_scheduler_leading 1"), "{text}");
        assert!(text.contains("postrider_heartbeat_timestamp_seconds 1796000000.5"), "{text}");
    }

    #[test]
    fn alerts_and_their_messages_are_counted() {
        let text = rendered(|| {
            let meters = Meters::default();
            meters.alert("opened");
            meters.alert_messages("held", 7);
        });
        assert!(text.contains(r#"postrider_alerts_total{outcome="opened"} 1"#), "{text}");
        assert!(text.contains(r#"postrider_alert_messages_total{what="held"} 7"#), "{text}");
    }

    #[test]
    fn deliveries_are_counted_by_state() {
        let text = rendered(|| {
            let meters = Meters::default();
            meters.delivery("sent");
            meters.delivery("sent");
            meters.delivery("held");
        });
        assert!(text.contains(r#"postrider_deliveries_total{state="sent"} 2"#), "{text}");
    }
}
