//! The list of all kinds of jobs. A new kind is one file in [`crate::jobs`], one `mod` line there and one line here.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use job::{Attempt, FieldError, Job, Kind, Outcome, QueueName, RetryPolicy, Unfinished};
use serde_json::value::RawValue;

use crate::context::Context;
use crate::jobs::{
    alert_notify, booking_cancelled, booking_completed, booking_confirmed, booking_no_show, booking_rescheduled, debug,
    domains_check, email_send, operator_notify, platform_heartbeat, reconcile, reminders_scan, search_ingest,
    search_report, search_rollup, store_retention,
};

/// A kind of job, as the rest of the platform sees it.
#[derive(Clone)]
pub struct KindEntry {
    /// Its name.
    pub kind: Kind,
    /// Where it waits unless the caller says otherwise.
    pub queue: QueueName,
    /// Attempts before a retry becomes `dead`.
    pub max_attempts: u32,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// Whether only the platform itself, or a key with `jobs:internal`, may enqueue it.
    pub internal: bool,
    /// Whether its arguments tell of people: see [`Registry::shows_args`].
    private: bool,
    /// When a failed attempt is tried again.
    pub retry: RetryPolicy,
    at_least: fn(&Context) -> Duration,
    check: fn(&str) -> Result<(), Vec<FieldError>>,
    run: fn(Box<RawValue>, Arc<Context>, Attempt) -> BoxFuture<'static, Outcome>,
}

impl KindEntry {
    fn of<J: Job<Context = Context>>() -> Self {
        Self {
            kind: J::kind(),
            queue: J::queue(),
            max_attempts: J::MAX_ATTEMPTS,
            timeout: J::TIMEOUT,
            internal: J::INTERNAL,
            private: J::PRIVATE,
            retry: J::retry_policy(),
            at_least: J::at_least,
            check: |args| parse::<J>(args)?.validate(),
            run: |args, context, attempt| {
                Box::pin(async move {
                    match parse::<J>(args.get()) {
                        Ok(job) => job.run(&context, &attempt).await,
                        Err(errors) => Err(Unfinished::fail(format!(
                            "the arguments no longer parse: {}",
                            errors.iter().map(|e| format!("{}: {}", e.field, e.message)).collect::<Vec<_>>().join("; ")
                        ))),
                    }
                })
            },
        }
    }

    /// Parses and validates arguments, as at the edge. Errors name the field by its path within the arguments.
    pub fn check(&self, args: &RawValue) -> Result<(), Vec<FieldError>> {
        (self.check)(args.get())
    }

    /// What an attempt is given at least here, whatever its envelope says.
    pub(crate) fn at_least(&self, context: &Context) -> Duration {
        (self.at_least)(context)
    }

    /// Runs one attempt.
    pub(crate) fn run(
        &self,
        args: Box<RawValue>,
        context: Arc<Context>,
        attempt: Attempt,
    ) -> BoxFuture<'static, Outcome> {
        (self.run)(args, context, attempt)
    }
}

fn parse<J: Job>(args: &str) -> Result<J, Vec<FieldError>> {
    let mut json = serde_json::Deserializer::from_str(args);
    serde_path_to_error::deserialize(&mut json).map_err(|e| {
        let path = e.path().to_string();
        vec![FieldError::new(if path == "." { String::new() } else { path }, e.into_inner().to_string())]
    })
}

/// All kinds that this process knows.
pub struct Registry {
    kinds: HashMap<Kind, KindEntry>,
}

impl Registry {
    /// Every kind; those for trying and testing only if `debug_kinds`.
    #[must_use]
    pub fn standard(debug_kinds: bool) -> Self {
        let mut all = vec![
            KindEntry::of::<booking_confirmed::BookingConfirmed>(),
            KindEntry::of::<booking_rescheduled::BookingRescheduled>(),
            KindEntry::of::<booking_cancelled::BookingCancelled>(),
            KindEntry::of::<booking_completed::BookingCompleted>(),
            KindEntry::of::<booking_no_show::BookingNoShow>(),
            KindEntry::of::<reminders_scan::RemindersScan>(),
            KindEntry::of::<reconcile::Reconcile>(),
            KindEntry::of::<email_send::EmailSend>(),
            KindEntry::of::<search_report::SearchReport>(),
            KindEntry::of::<domains_check::DomainsCheck>(),
            KindEntry::of::<alert_notify::AlertNotify>(),
            KindEntry::of::<operator_notify::OperatorNotify>(),
            KindEntry::of::<platform_heartbeat::PlatformHeartbeat>(),
            KindEntry::of::<store_retention::StoreRetention>(),
            KindEntry::of::<search_ingest::SearchIngest>(),
            KindEntry::of::<search_rollup::SearchRollup>(),
        ];
        if debug_kinds {
            all.extend([
                KindEntry::of::<debug::Noop>(),
                KindEntry::of::<debug::Sleep>(),
                KindEntry::of::<debug::Fail>(),
                KindEntry::of::<debug::Effect>(),
                KindEntry::of::<debug::Panic>(),
                KindEntry::of::<debug::Crash>(),
            ]);
        }
        Self { kinds: all.into_iter().map(|entry| (entry.kind.clone(), entry)).collect() }
    }

    /// The same and one more kind.
    #[must_use]
    pub fn with<J: Job<Context = Context>>(mut self) -> Self {
        let entry = KindEntry::of::<J>();
        self.kinds.insert(entry.kind.clone(), entry);
        self
    }

    /// The entry of a kind.
    #[must_use]
    pub fn find(&self, kind: &Kind) -> Option<&KindEntry> {
        self.kinds.get(kind)
    }

    /// Whether a job's arguments may be shown: those of a kind that tell of people are not.
    #[must_use]
    pub fn shows_args(&self, kind: &Kind) -> bool {
        self.find(kind).is_none_or(|entry| !entry.private)
    }

    /// All entries, by name.
    #[must_use]
    pub fn entries(&self) -> Vec<&KindEntry> {
        let mut all: Vec<_> = self.kinds.values().collect();
        all.sort_by(|a, b| a.kind.cmp(&b.kind));
        all
    }

    /// The queues that the kinds wait in and that are not among `consumed`: start-up fails if there is one.
    #[must_use]
    pub fn queues_without_consumer(&self, consumed: &[QueueName]) -> Vec<(&Kind, &QueueName)> {
        self.entries().into_iter().filter(|e| !consumed.contains(&e.queue)).map(|e| (&e.kind, &e.queue)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_listed_once_under_names_that_parse() {
        let with = Registry::standard(true);
        let names: Vec<&str> = with.entries().iter().map(|e| e.kind.as_str()).collect();
        assert!(names.contains(&"booking.confirmed") && names.contains(&"email.send"), "{names:?}");
        assert!(Registry::standard(false).find(&Kind::new("debug.crash").unwrap()).is_none());
    }

    #[test]
    fn bad_arguments_name_their_field() {
        let registry = Registry::standard(true);
        let sleep = registry.find(&Kind::new("debug.sleep").unwrap()).unwrap();
        let check = |json: &str| sleep.check(&RawValue::from_string(json.to_owned()).unwrap());
        assert!(check(r#"{"ms":5}"#).is_ok());
        assert_eq!(check(r#"{"ms":"x"}"#).unwrap_err()[0].field, "ms");
        assert!(check(r#"{"ms":1,"extra":2}"#).unwrap_err()[0].message.contains("extra"));
        assert!(check("{}").unwrap_err()[0].message.contains("ms"));
    }

    #[test]
    fn a_queue_that_nobody_consumes_is_found() {
        let registry = Registry::standard(false);
        let most = ["emails", "default", "search"].map(|name| QueueName::new(name).unwrap());
        let missing = registry.queues_without_consumer(&most);
        assert!(!missing.is_empty() && missing.iter().all(|(_, queue)| queue.as_str() == "bookings"), "{missing:?}");
    }
}
