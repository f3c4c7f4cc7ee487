//! Who would be told of an alert, when, and what mutes it: the answer to "what if?".

use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::alert::later;
use crate::fingerprint::Fingerprint;
use crate::inhibition::Inhibitor;
use crate::labels::Labels;
use crate::routes::{Route, Routes, Step};
use crate::silence::Silence;

/// What would become of an alert that begins at a given time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preview {
    /// What routes, silences and inhibitions look at.
    pub labels: Labels,
    /// When it begins.
    pub at: Timestamp,
    /// Who is told, one a route that takes it. Nobody is while it is muted.
    pub told: Vec<Told>,
    /// What silences it then.
    pub silenced_by: Vec<Silence>,
    /// Which incidents that go on now explain it.
    pub inhibited_by: Vec<Fingerprint>,
}

/// One message, and what follows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The route that takes it: its matchers, and those above.
    pub route: String,
    /// Who is told.
    pub receiver: String,
    /// What it is told together with: incidents that have these labels.
    pub group: Labels,
    /// When the first message leaves; later, if the group has told something just before.
    pub first_at: Timestamp,
    /// How long the first of a group waits for others, in seconds.
    #[serde(serialize_with = "seconds")]
    pub group_wait: Duration,
    /// How long until the group may tell of what is new, in seconds.
    #[serde(serialize_with = "seconds")]
    pub group_interval: Duration,
    /// How long until it is said again, in seconds.
    #[serde(serialize_with = "seconds")]
    pub repeat_interval: Duration,
    /// Who else is told while nobody acknowledges.
    pub escalation: Vec<Escalated>,
}

/// One step of an escalation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Escalated {
    /// Who is told.
    pub receiver: String,
    /// How long after the first message, in seconds.
    #[serde(serialize_with = "seconds")]
    pub after: Duration,
    /// When that is.
    pub at: Timestamp,
}

impl Preview {
    /// Looks at an alert with these labels ([`crate::Alert::subject`]) that begins at `at`.
    #[must_use]
    pub fn of(
        routes: &Routes,
        inhibitor: &Inhibitor<'_>,
        silences: &[Silence],
        subject: Labels,
        at: Timestamp,
    ) -> Self {
        let muting = |silence: &&Silence| silence.is_active(at) && silence.mutes(&subject);
        // It is asked about something that is not there: no incident is this one.
        let nobody = Fingerprint::of("", &Labels::new());
        Self {
            told: routes.resolve(&subject).into_iter().map(|route| Told::by(route, &subject, at)).collect(),
            silenced_by: silences.iter().filter(muting).cloned().collect(),
            inhibited_by: inhibitor.inhibited_by(nobody, &subject),
            labels: subject,
            at,
        }
    }

    /// Whether nobody is told.
    #[must_use]
    pub fn is_muted(&self) -> bool {
        !self.silenced_by.is_empty() || !self.inhibited_by.is_empty()
    }
}

impl Told {
    fn by(route: &Route, subject: &Labels, at: Timestamp) -> Self {
        let first_at = later(at, route.timing.group_wait);
        let step = |step: &Step| Escalated {
            receiver: step.receiver.clone(),
            after: step.after,
            at: later(first_at, step.after),
        };
        Self {
            route: route.key.clone(),
            receiver: route.receiver.clone(),
            group: route.group(subject),
            first_at,
            group_wait: route.timing.group_wait,
            group_interval: route.timing.group_interval,
            repeat_interval: route.timing.repeat_interval,
            escalation: route.escalation.iter().map(step).collect(),
        }
    }
}

fn seconds<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(span.as_secs())
}
