//! The names under which figures are published. They are an interface: dashboards and alerts rely on them.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Counter by `queue`, `kind`: jobs accepted.
pub const JOBS_ENQUEUED: &str = "postrider_jobs_enqueued_total";
/// Counter by `queue`, `kind`: runs begun.
pub const JOBS_STARTED: &str = "postrider_jobs_started_total";
/// Counter by `queue`, `kind`, `outcome`: runs ended.
pub const JOBS_FINISHED: &str = "postrider_jobs_finished_total";
/// Histogram by `queue`, `kind`: how long a run took.
pub const JOB_DURATION: &str = "postrider_jobs_duration_seconds";
/// Gauge by `queue`, `state`: jobs in that state.
pub const QUEUE_DEPTH: &str = "postrider_queue_depth";
/// Gauge by `queue`: the age of the oldest job that could run.
pub const QUEUE_OLDEST: &str = "postrider_queue_oldest_seconds";
/// Gauge by `queue`: 1 while paused.
pub const QUEUE_PAUSED: &str = "postrider_queue_paused";
/// Counter by `queue`: leases that ran out under a worker.
pub const LEASE_LOSSES: &str = "postrider_lease_losses_total";
/// Gauge by `queue`: jobs running in this process.
pub const JOBS_IN_FLIGHT: &str = "postrider_jobs_in_flight";
/// Counter by `method`, `route`, `status`: requests answered.
pub const HTTP_REQUESTS: &str = "postrider_http_requests_total";
/// Histogram by `method`, `route`: how long an answer took.
pub const HTTP_DURATION: &str = "postrider_http_request_duration_seconds";
/// Counter by `state`: deliveries that reached it.
pub const DELIVERIES: &str = "postrider_deliveries_total";

/// Counter by `schedule`, `state`: ticks written by a scheduler (open, waiting, skipped).
pub const SCHEDULE_TICKS: &str = "postrider_schedule_ticks_total";
/// Gauge: 1 in the scheduler that leads.
pub const SCHEDULER_LEADING: &str = "postrider_scheduler_leading";
/// Gauge: when the platform's own heartbeat last ran here, in seconds since the Unix epoch.
pub const HEARTBEAT: &str = "postrider_heartbeat_timestamp_seconds";

/// Counter by `outcome`: alerts that the API took in (opened, reopened, counted, resolved, nothing_to_resolve).
pub const ALERTS: &str = "postrider_alerts_total";
/// Counter by `what`: what became of messages about incidents (mail, post, held, digest).
pub const ALERT_MESSAGES: &str = "postrider_alert_messages_total";

/// Upper ends of the duration buckets in seconds, from 100 µs to 10 min.
pub const DURATION_BUCKETS: [f64; 19] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 60.0,
    300.0, 600.0,
];

/// Gives every figure its help text; needs the recorder to be in place.
pub(super) fn describe() {
    describe_counter!(JOBS_ENQUEUED, "Jobs accepted into a queue.");
    describe_counter!(JOBS_STARTED, "Runs of jobs begun.");
    describe_counter!(JOBS_FINISHED, "Runs of jobs ended, by outcome.");
    describe_histogram!(JOB_DURATION, Unit::Seconds, "How long runs of jobs took.");
    describe_gauge!(QUEUE_DEPTH, "Jobs in a queue, by state.");
    describe_gauge!(QUEUE_OLDEST, Unit::Seconds, "Age of the oldest job that could run.");
    describe_gauge!(QUEUE_PAUSED, "1 while the queue is paused.");
    describe_counter!(LEASE_LOSSES, "Leases that ran out under a worker.");
    describe_gauge!(JOBS_IN_FLIGHT, "Jobs running in this process.");
    describe_counter!(HTTP_REQUESTS, "HTTP requests answered, by status.");
    describe_histogram!(HTTP_DURATION, Unit::Seconds, "How long HTTP answers took.");
    describe_counter!(DELIVERIES, "Deliveries that reached a state.");
    describe_counter!(ALERTS, "Alerts that the API took in, by what they did.");
    describe_counter!(ALERT_MESSAGES, "Messages about incidents, by what became of them.");
    describe_counter!(SCHEDULE_TICKS, "Ticks of schedules, by what was decided.");
    describe_gauge!(SCHEDULER_LEADING, "1 in the scheduler that leads.");
    describe_gauge!(HEARTBEAT, Unit::Seconds, "When the platform's own heartbeat last ran.");
}
