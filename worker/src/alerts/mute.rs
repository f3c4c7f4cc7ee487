//! What is not told just now: silences, and what another incident explains.

use alerting::{Fingerprint, Inhibitor, Labels, Silence};
use jiff::Timestamp;
use store::Incident;

use super::rules::AlertRules;

/// What mutes, at one moment.
pub(super) struct Mutes<'a> {
    silences: Vec<Silence>,
    inhibitor: Inhibitor<'a>,
}

impl<'a> Mutes<'a> {
    /// From all silences, and the incidents that burn.
    pub(super) fn new(rules: &'a AlertRules, silences: Vec<Silence>, active: &[Incident], now: Timestamp) -> Self {
        let subjects: Vec<(Fingerprint, Labels)> = active
            .iter()
            .filter(|incident| incident.is_active())
            .filter_map(|incident| Some((incident.fingerprint.parse().ok()?, incident.subject())))
            .collect();
        let firing = subjects.iter().map(|(fingerprint, subject)| (*fingerprint, subject));
        Self {
            silences: silences.into_iter().filter(|silence| silence.is_active(now)).collect(),
            inhibitor: Inhibitor::new(&rules.inhibitions, firing),
        }
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
