//! What is not told just now: silences, and what another incident explains.

use alerting::{Fingerprint, Inhibitor, Silence};
use jiff::Timestamp;
use store::{Burning, Incident, Store, StoreError};

use super::rules::AlertRules;

/// What explains others among all that burns.
///
/// # Errors
/// As the store says.
pub async fn inhibitor<'a>(store: &Store, rules: &'a AlertRules) -> Result<Inhibitor<'a>, StoreError> {
    let mut inhibitor = Inhibitor::new(&rules.inhibitions, []);
    let add = |one: &Burning| {
        if let Ok(fingerprint) = one.fingerprint.parse::<Fingerprint>() {
            inhibitor.add(fingerprint, &one.subject());
        }
    };
    if !rules.inhibitions.is_empty() {
        store.each_burning(add).await?;
    }
    Ok(inhibitor)
}

/// What mutes, at one moment.
pub(super) struct Mutes<'a> {
    silences: Vec<Silence>,
    inhibitor: Inhibitor<'a>,
}

impl<'a> Mutes<'a> {
    /// From all silences, and what explains others.
    pub(super) fn new(silences: Vec<Silence>, inhibitor: Inhibitor<'a>, now: Timestamp) -> Self {
        Self { silences: silences.into_iter().filter(|silence| silence.is_active(now)).collect(), inhibitor }
    }

    /// Why an incident is not told; none: it is.
    pub(super) fn reason(&self, incident: &Incident) -> Option<String> {
        let subject = incident.subject();
        if let Some(silence) = self.silences.iter().find(|silence| silence.mutes(&subject)) {
            return Some(format!("silenced by {} ({})", silence.created_by, silence.id));
        }
        let own: Fingerprint = incident.fingerprint.parse().ok()?;
        let by = self.inhibitor.inhibited_by(own, &subject);
        by.first().map(|by| format!("another incident explains it ({by})"))
    }
}
