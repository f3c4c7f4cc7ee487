//! What an alert is, and who is to be told of it: rules without I/O and without a clock.
//!
//! 1. An [`Alert`] has a type, a [`Severity`], [`Labels`] and words for people. Everything in it is bounded and free of
//!    control characters before it counts ([`Alert::validate`]).
//! 2. Its [`Fingerprint`] (type and labels) says which incident it belongs to.
//! 3. [`Routes`] is a tree: [`Routes::resolve`] gives the nodes that take the alert, each with a receiver, a way of grouping,
//!    times and steps of escalation.
//! 4. A [`Silence`] mutes what its [`Matcher`]s match, for a while; an [`Inhibition`] mutes what another alert explains.
//! 5. [`Preview`] says beforehand what would become of an alert.
//!
//! Matchers are written as Alertmanager writes them (`severity="critical"`, `team=~"db|infra"`), and mean the same.

mod alert;
mod fingerprint;
mod inhibition;
mod labels;
mod matcher;
mod preview;
mod routes;
mod severity;
mod silence;
mod syntax;

pub use alert::{Alert, Details, Invalid, State, subject};
pub use fingerprint::{Fingerprint, NoFingerprint};
pub use inhibition::{Equal, Inhibition, Inhibitor};
pub use labels::{LabelError, Labels, Pairs};
pub use matcher::{Matcher, Op, all_match};
pub use preview::{Escalated, Preview, Told};
pub use routes::{GroupBy, Route, RouteSpec, Routes, Step, Timing};
pub use severity::{Severity, UnknownSeverity};
pub use silence::{Silence, SilenceState};
pub use syntax::{SyntaxError, parse_list, print_list};
