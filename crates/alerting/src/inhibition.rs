//! Inhibition: an alert that another one explains is not told to anybody.

use std::collections::HashMap;

use crate::alert::Invalid;
use crate::fingerprint::Fingerprint;
use crate::labels::{Labels, is_label_name, shown};
use crate::matcher::{Matcher, Op, all_match};

/// Which labels source and target need to have in common. One that neither has is in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Equal {
    /// These.
    Labels(Vec<String>),
    /// All but the severity; written `...`.
    AllButSeverity,
}

impl Equal {
    /// From names of labels; `...` stands for all but the severity.
    ///
    /// # Errors
    /// A name is none.
    pub fn parse(names: &[String]) -> Result<Self, Invalid> {
        if names.iter().any(|name| name == "...") {
            return Ok(Self::AllButSeverity);
        }
        match names.iter().find(|name| !is_label_name(name)) {
            Some(name) => Err(Invalid::new("equal", format!("holds {}, which is no name of a label", shown(name)))),
            None => Ok(Self::Labels(names.to_vec())),
        }
    }

    /// What two alerts must agree on, as one identity.
    fn of(&self, subject: &Labels) -> Fingerprint {
        let mut common = subject.clone();
        match self {
            Self::AllButSeverity => drop(common.remove("severity")),
            Self::Labels(names) => {
                for (name, _) in subject.iter().filter(|(name, _)| !names.iter().any(|n| n == name)) {
                    common.remove(name);
                }
            }
        }
        Fingerprint::of("", &common)
    }
}

/// One rule: while a source fires, targets that have the labels `equal` in common with it are muted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inhibition {
    /// What explains.
    pub source: Vec<Matcher>,
    /// What is explained.
    pub target: Vec<Matcher>,
    /// What they must have in common.
    pub equal: Equal,
}

impl Inhibition {
    /// What holds where nothing is configured: a critical alert mutes the warnings and infos of the same type with the same
    /// labels.
    #[must_use]
    pub fn standard() -> Vec<Self> {
        let matcher = |op, value| Matcher::new("severity", op, value).expect("it is a sound matcher");
        vec![Self {
            source: vec![matcher(Op::Equal, "critical")],
            target: vec![matcher(Op::Regex, "warning|info")],
            equal: Equal::AllButSeverity,
        }]
    }

    /// Whether `source`, while it fires, mutes `target`. What is both source and target is not muted by what is both.
    #[must_use]
    pub fn applies(&self, source: &Labels, target: &Labels) -> bool {
        all_match(&self.source, source)
            && all_match(&self.target, target)
            && self.equal.of(source) == self.equal.of(target)
            && !(all_match(&self.target, source) && all_match(&self.source, target))
    }
}

/// The rules over what fires now: finds the sources of a target without going through all of them.
#[derive(Debug)]
pub struct Inhibitor<'a> {
    rules: &'a [Inhibition],
    /// By rule and what has to be equal: the sources, and whether they could be targets.
    sources: HashMap<(usize, Fingerprint), Vec<(Fingerprint, bool)>>,
}

impl<'a> Inhibitor<'a> {
    /// Over what fires: fingerprints and labels ([`crate::Alert::subject`]).
    #[must_use]
    pub fn new<'b>(rules: &'a [Inhibition], firing: impl IntoIterator<Item = (Fingerprint, &'b Labels)>) -> Self {
        let mut all = Self { rules, sources: HashMap::new() };
        firing.into_iter().for_each(|(fingerprint, subject)| all.add(fingerprint, subject));
        all
    }

    /// Adds one that fires. What explains nothing takes no room.
    pub fn add(&mut self, fingerprint: Fingerprint, subject: &Labels) {
        for (i, rule) in self.rules.iter().enumerate().filter(|(_, rule)| all_match(&rule.source, subject)) {
            let both = all_match(&rule.target, subject);
            self.sources.entry((i, rule.equal.of(subject))).or_default().push((fingerprint, both));
        }
    }

    /// What mutes an alert; none if nothing does. An alert does not mute itself.
    #[must_use]
    pub fn inhibited_by(&self, own: Fingerprint, subject: &Labels) -> Vec<Fingerprint> {
        let mut found = Vec::new();
        for (i, rule) in self.rules.iter().enumerate().filter(|(_, rule)| all_match(&rule.target, subject)) {
            let both = all_match(&rule.source, subject);
            let sources = self.sources.get(&(i, rule.equal.of(subject))).map(Vec::as_slice).unwrap_or_default();
            found.extend(sources.iter().filter(|(source, too)| *source != own && !(both && *too)).map(|(s, _)| *s));
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}
