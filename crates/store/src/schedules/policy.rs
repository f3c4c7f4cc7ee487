//! The words of schedules and ticks.

use crate::words::words;

words! {
    /// Who defines a schedule.
    pub enum Origin {
        /// The configuration: brought up to date at each start, changed nowhere else.
        Config = "config",
        /// A person, over the API.
        Api = "api",
    }
}

words! {
    /// What becomes of the instants that nobody fired in time, each within the schedule's `max_lateness`.
    pub enum CatchUp {
        /// They are let go.
        None = "none",
        /// One fires for all of them.
        Once = "once",
        /// Each fires.
        All = "all",
    }
}

words! {
    /// What becomes of a tick while the job of an earlier one is not done.
    pub enum Overlap {
        /// Both jobs run.
        Allow = "allow",
        /// It is skipped.
        Skip = "skip",
        /// One waits for the end of the earlier one; more are skipped.
        QueueOne = "queue_one",
    }
}

words! {
    /// Who paused a schedule.
    pub enum PausedBy {
        /// A person.
        Operator = "operator",
        /// Its `failure_limit`, or the scheduler that cannot serve it.
        Failures = "failures",
    }
}

words! {
    /// Where a tick stands.
    pub enum TickState {
        /// It waits for the end of an earlier one's job.
        Waiting = "waiting",
        /// Its job is to be done.
        Open = "open",
        /// Its job is done.
        Done = "done",
        /// Its job failed for good.
        Failed = "failed",
        /// Its job was called off, or its schedule was deleted while it waited.
        Cancelled = "cancelled",
        /// Its job expired.
        Expired = "expired",
        /// It never had a job.
        Skipped = "skipped",
    }
}

words! {
    /// Why there is a tick.
    pub enum TickCause {
        /// Its instant came.
        Planned = "planned",
        /// Its instant had come while nobody fired.
        CatchUp = "catch_up",
        /// A person wanted it at once.
        Run = "run",
        /// A person wanted the instants of a span that has passed.
        Backfill = "backfill",
    }
}
