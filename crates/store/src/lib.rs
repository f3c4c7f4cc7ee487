//! The relational store: what must survive the loss of a queue. Bookings, the mail ledger, incidents, schedules, API keys.
//!
//! 1. One [`Store`] over SQLite (one process, a file) or Postgres (as many machines as wanted). The same SQL text serves
//!    both; where a statement must differ, it branches in sight (`db`).
//! 2. What a person would miss is written here first and enqueued afterwards. What was written and never enqueued is found
//!    again by the sweep (`intents`); what lost its job for good ends with it (`endings`).
//! 3. Functions take `now`: the store never asks the machine for the time. Times are kept to the millisecond.
//! 4. Every error says whether trying again later can help: [`StoreError::is_transient`].

mod words;

mod batches;
mod bookings;
mod db;
mod deliveries;
mod domains;
mod effects;
mod emails;
mod endings;
mod error;
mod heartbeats;
mod incidents;
mod intents;
mod keys;
mod migrations;
mod page;
mod people;
mod retention;
mod schedules;
mod scratch;
mod search;
mod silences;
mod suppressions;

pub use bookings::{
    Accepted, Booking, BookingEvent, BookingEventKind, BookingStatus, CancelledBy, Claimed, EventApplied, EventFact,
    EventState, FanOut, NewBookingEvent, Party, Price, Snapshot, content_hash,
};
pub use db::{Backend, Batch, Store, StoreConfig};
pub use deliveries::{
    Action, Attempt, AttemptOutcome, AttemptReport, Begun, By, Category, Class, Deed, Delivery, DeliveryEvent,
    DeliveryEventKind, DeliveryFilter, DeliveryRef, DeliveryState, Gone, HeldMail, History, MailPhase, MailVitals,
    Moved, NewDelivery, OnTheWire, story, table,
};
pub use domains::{Domain, DomainCheck, DomainRelay, DomainState, NewDomainCheck};
pub use effects::Effect;
pub use emails::{Email, EmailAccepted, EmailRecipients, NewEmail};
pub use endings::{Closed, JobEnd};
pub use error::StoreError;
pub use heartbeats::{Heartbeat, HeartbeatChange, HeartbeatState, HeartbeatTold, MOST_HEARTBEATS};
pub use incidents::{
    About, AlertDue, Burning, Change, Changes, Channel, Digest, DueDigest, DueGroup, Flush, FlushedGroups, GroupCall,
    GroupNow, Heard, Incident, IncidentChange, IncidentEvent, IncidentEventKind, IncidentFilter, IncidentNotification,
    IncidentState, Lately, Member, MemberNow, NewNotification, Notification, NotificationFate, NotificationRef,
    NotificationState, OpenIncidents, Reason, SeverityCount, Target, Teller, Throttle, Told, Trouble,
    Which as WhichIncidents,
};
pub use intents::Intent;
pub use keys::{ApiKey, CreatedApiKey, NewApiKey, Scope};
pub use migrations::{MigrationStatus, MigrationStep};
pub use page::Page;
pub use people::{ERASED_ADDRESS, Erased, PersonExport, PersonMail};
pub use retention::Old;
pub use schedules::{
    CatchUp, Changed, Fired, Mirrored, NewTick, Origin, Overlap, Paused, PausedBy, Schedule, ScheduleSpec,
    SchedulerLease, SchedulerState, Tick, TickCause, TickEnd, TickEnded, TickLimits, TickRef, TickState,
};
pub use scratch::Scratch;
pub use search::{
    Breakdown, CLOCKS_APART, Device, DirtyWindow, ErasedSearches, EventId, Granularity, Ingested, InteractionKind,
    KeptInteraction, KeptSearch, MetricsFilter, NewInteraction, NewSearch, QuerySort, RolledWindow, SearchBatch,
    SearchMetrics, SearchQuery, SearchRules, Settled, SubjectOf, masked_query, session_key, subject_key,
};
pub use silences::{MOST_SILENCES, Put, SilenceChange, SilenceFilter, StoredSilence};
pub use suppressions::{
    Added, Covers, Lifted, Lifting, NewSuppression, Suppression, SuppressionFilter, SuppressionReason, Which,
};
pub use words::UnknownWord;
