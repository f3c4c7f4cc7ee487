//! What is counted about the requests to a route.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use metrics::{Counter, Histogram, counter, histogram};

use super::{HTTP_DURATION, HTTP_REQUESTS};

/// Handles of one method on one route.
pub struct HttpMeter {
    method: String,
    route: String,
    answered: RwLock<HashMap<u16, Counter>>,
    duration: Histogram,
}

impl HttpMeter {
    pub(super) fn new(method: &str, route: &str) -> Self {
        let duration = histogram!(HTTP_DURATION, "method" => method.to_owned(), "route" => route.to_owned());
        Self { method: method.to_owned(), route: route.to_owned(), answered: RwLock::default(), duration }
    }

    /// One request was answered with `status` after `took`.
    pub fn answered(&self, status: u16, took: Duration) {
        self.duration.record(took.as_secs_f64());
        let known = self.answered.read().unwrap_or_else(PoisonError::into_inner).get(&status).map(|c| c.increment(1));
        if known.is_none() {
            let mut answered = self.answered.write().unwrap_or_else(PoisonError::into_inner);
            answered.entry(status).or_insert_with(|| self.counter(status)).increment(1);
        }
    }

    fn counter(&self, status: u16) -> Counter {
        let (method, route) = (self.method.clone(), self.route.clone());
        counter!(HTTP_REQUESTS, "method" => method, "route" => route, "status" => status.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::metrics::{Meters, recorder::rendered};

    #[test]
    fn answers_are_counted_by_status() {
        let text = rendered(|| {
            let meters = Meters::default();
            for status in [202, 202, 422] {
                meters.http("POST", "/v1/jobs").answered(status, Duration::from_millis(1));
            }
        });
        let line = |line: &str| assert!(text.contains(line), "{line}\n{text}");
        line(r#"postrider_http_requests_total{method="POST",route="/v1/jobs",status="202"} 2"#);
        line(r#"postrider_http_requests_total{method="POST",route="/v1/jobs",status="422"} 1"#);
        line(r#"postrider_http_request_duration_seconds_count{method="POST",route="/v1/jobs"} 3"#);
    }
}
