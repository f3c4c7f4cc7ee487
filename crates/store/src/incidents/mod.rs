//! Incidents: what alerts are about, whom they are told to, and what was told.
//!
//! 1. Alerts change incidents: those of the same fingerprint are read, changed by the caller's rules and written in one
//!    transaction, together with what happened (`event`) and with when their groups are to be looked at (`change`).
//! 2. A group that is due is taken by one worker, whoever asks: in one transaction the messages are written, the mails with
//!    them, and what each group and each person was told: the throttle never moves without the message (`flush`).
//! 3. What a storm or the hourly cap holds back is told in one message when the person's digest is due (`digest`).
//! 4. A message ends with its mail, or with the job that posts it (`fate`). One that does not get through is told of by
//!    another way (`trouble`), and what nobody heard is told again (`again`).
//! 5. Anyone may look (`read`).
//!
//! The rules themselves are not here: they are handed in as functions, and see rows as they are under lock.

mod again;
mod burning;
mod change;
mod digest;
mod due;
mod event;
mod fate;
mod flush;
mod group;
mod heard;
mod notification;
mod read;
mod record;
mod rows;
mod storm;
mod told;
mod trouble;

pub use burning::Burning;
pub use change::{Changes, GroupCall, IncidentChange, Which};
pub use digest::{Digest, DueDigest, SeverityCount};
pub use event::{IncidentEvent, IncidentEventKind};
pub use fate::NotificationFate;
pub use flush::{AlertDue, Flush, FlushedGroups, Teller, Throttle};
pub use group::{DueGroup, GroupNow, Member, MemberNow, Told};
pub use heard::Heard;
pub use notification::{
    About, Change, Channel, NewNotification, Notification, NotificationRef, NotificationState, Reason, Target,
};
pub use read::{IncidentFilter, IncidentNotification};
pub use record::{Incident, IncidentState};
pub use storm::Lately;
pub use told::OpenIncidents;
pub use trouble::Trouble;
