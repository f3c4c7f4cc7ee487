//! Who is told: a tree of routes.
//!
//! 1. An alert enters at the root, which takes everything, and goes to the first child whose matchers all fit; and to
//!    further ones, as long as those that took it say `continue`.
//! 2. A node whose children do not take the alert takes it itself.
//! 3. What a node does not say it has from its parent: receiver, grouping, times, escalation.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::alert::Invalid;
use crate::fingerprint::Fingerprint;
use crate::labels::{Labels, is_label_name, shown};
use crate::matcher::{Matcher, all_match};
use crate::syntax::print_list;

/// How deep the tree may be.
const DEEPEST: usize = 10;
/// How many routes there may be.
const MOST: usize = 1_000;
/// How many steps an escalation may have.
const MOST_STEPS: usize = 10;

/// The times of a group of incidents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long the first incident of a group waits for others; up to an hour.
    pub group_wait: Duration,
    /// How long after a message one about what is new in the group may follow; from a second to a day.
    pub group_interval: Duration,
    /// How long after a message it is said again, while nothing has changed; from a minute to 31 days.
    pub repeat_interval: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { group_wait: seconds(30), group_interval: seconds(300), repeat_interval: seconds(4 * 3600) }
    }
}

/// Which incidents are told of together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupBy {
    /// Those that have the same values of these labels.
    Labels(BTreeSet<String>),
    /// Each for itself.
    All,
}

impl GroupBy {
    /// From names of labels; `...` stands for all.
    ///
    /// # Errors
    /// A name is none.
    pub fn parse(names: &[String]) -> Result<Self, Invalid> {
        if names.iter().any(|name| name == "...") {
            return Ok(Self::All);
        }
        match names.iter().find(|name| !is_label_name(name)) {
            Some(name) => Err(Invalid::new("group_by", format!("holds {}, which is no name of a label", shown(name)))),
            None => Ok(Self::Labels(names.iter().cloned().collect())),
        }
    }
}

/// One step of an escalation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// How long after the first message, if nobody has acknowledged it; from a second to 31 days.
    pub after: Duration,
    /// Who is told then.
    pub receiver: String,
}

/// A route as it is configured: what is not said is inherited.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteSpec {
    /// What it takes; all have to fit.
    pub matchers: Vec<Matcher>,
    /// Who is told.
    pub receiver: Option<String>,
    /// What is told together: names of labels, or `...`.
    pub group_by: Option<Vec<String>>,
    /// [`Timing::group_wait`].
    pub group_wait: Option<Duration>,
    /// [`Timing::group_interval`].
    pub group_interval: Option<Duration>,
    /// [`Timing::repeat_interval`].
    pub repeat_interval: Option<Duration>,
    /// Who is told if nobody acknowledges.
    pub escalate: Option<Vec<Step>>,
    /// Whether later siblings may take it too.
    pub goes_on: bool,
    /// Its children.
    pub routes: Vec<RouteSpec>,
}

/// One node of the tree, with all that it inherited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Tells it from all others, and stays the same while its matchers and those above it do: `{}/{team="db"}`.
    pub key: String,
    /// What it takes.
    pub matchers: Vec<Matcher>,
    /// Who is told.
    pub receiver: String,
    /// What is told together.
    pub group_by: GroupBy,
    /// When.
    pub timing: Timing,
    /// Who is told if nobody acknowledges, sooner steps first.
    pub escalation: Vec<Step>,
    goes_on: bool,
    children: Vec<Route>,
}

impl Route {
    /// The routes within it.
    #[must_use]
    pub fn children(&self) -> &[Self] {
        &self.children
    }

    /// Whether the routes after it may take the same alert, too.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// The labels that an alert's group has in common.
    #[must_use]
    pub fn group(&self, subject: &Labels) -> Labels {
        let mut group = subject.clone();
        if let GroupBy::Labels(names) = &self.group_by {
            for (name, _) in subject.iter().filter(|(name, _)| !names.contains(*name)) {
                group.remove(name);
            }
        }
        group
    }

    /// The identity of an alert's group at this route.
    #[must_use]
    pub fn group_id(&self, subject: &Labels) -> Fingerprint {
        Fingerprint::of(&self.key, &self.group(subject))
    }

    fn collect<'a>(&'a self, subject: &Labels, found: &mut Vec<&'a Self>) -> bool {
        if !all_match(&self.matchers, subject) {
            return false;
        }
        let before = found.len();
        for child in &self.children {
            if child.collect(subject, found) && !child.goes_on {
                break;
            }
        }
        if found.len() == before {
            found.push(self);
        }
        true
    }

    fn visit<'a>(&'a self, all: &mut Vec<&'a Self>) {
        all.push(self);
        self.children.iter().for_each(|child| child.visit(all));
    }
}

/// The tree. Its root takes everything, so everything reaches somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routes(Route);

impl Routes {
    /// Checks a tree and hands down what its nodes do not say. `knows` tells whether there is a receiver of that name.
    ///
    /// # Errors
    /// All that is wrong, under paths such as `routes[0].receiver`.
    pub fn build(root: &RouteSpec, knows: &dyn Fn(&str) -> bool) -> Result<Self, Vec<Invalid>> {
        let mut build = Build { knows, wrong: Vec::new(), nodes: 0 };
        if !root.matchers.is_empty() {
            build.note("", Invalid::new("match", "the root takes everything"));
        }
        let above = Route {
            key: String::new(),
            matchers: Vec::new(),
            receiver: String::new(),
            group_by: GroupBy::Labels(BTreeSet::from(["alertname".to_owned()])),
            timing: Timing::default(),
            escalation: Vec::new(),
            goes_on: false,
            children: Vec::new(),
        };
        let root = build.route(root, &above, "{}".to_owned(), "", 0);
        if build.wrong.is_empty() { Ok(Self(root)) } else { Err(build.wrong) }
    }

    /// The routes that take an alert with these labels ([`crate::Alert::subject`]), in the order of the tree; never none.
    #[must_use]
    pub fn resolve(&self, subject: &Labels) -> Vec<&Route> {
        let mut found = Vec::new();
        self.0.collect(subject, &mut found);
        found
    }

    /// All routes, the root first.
    #[must_use]
    pub fn all(&self) -> Vec<&Route> {
        let mut all = Vec::new();
        self.0.visit(&mut all);
        all
    }

    /// The route of that key: what a stored group was made by.
    #[must_use]
    pub fn by_key(&self, key: &str) -> Option<&Route> {
        self.all().into_iter().find(|route| route.key == key)
    }
}

struct Build<'a> {
    knows: &'a dyn Fn(&str) -> bool,
    wrong: Vec<Invalid>,
    nodes: usize,
}

impl Build<'_> {
    fn note(&mut self, path: &str, invalid: Invalid) {
        self.wrong.push(Invalid { field: format!("{path}{}", invalid.field), ..invalid });
    }

    fn route(&mut self, spec: &RouteSpec, above: &Route, key: String, path: &str, depth: usize) -> Route {
        self.nodes += 1;
        let group_by = match spec.group_by.as_deref().map(GroupBy::parse) {
            Some(Ok(group_by)) => group_by,
            Some(Err(invalid)) => {
                self.note(path, invalid);
                above.group_by.clone()
            }
            None => above.group_by.clone(),
        };
        let timing = Timing {
            group_wait: self.time(path, "group_wait", spec.group_wait, above.timing.group_wait, 0..=3_600),
            group_interval: self.time(
                path,
                "group_interval",
                spec.group_interval,
                above.timing.group_interval,
                1..=86_400,
            ),
            repeat_interval: self.time(
                path,
                "repeat_interval",
                spec.repeat_interval,
                above.timing.repeat_interval,
                60..=31 * 86_400,
            ),
        };
        let mut route = Route {
            key,
            matchers: spec.matchers.clone(),
            receiver: spec.receiver.clone().unwrap_or_else(|| above.receiver.clone()),
            group_by,
            timing,
            escalation: spec.escalate.clone().unwrap_or_else(|| above.escalation.clone()),
            goes_on: spec.goes_on,
            children: Vec::new(),
        };
        if spec.receiver.is_some() || depth == 0 {
            self.receiver(path, "receiver", &route.receiver);
        }
        self.escalation(path, spec.escalate.as_deref().unwrap_or_default());
        route.children = self.children(spec, &route, path, depth);
        route
    }

    fn children(&mut self, spec: &RouteSpec, route: &Route, path: &str, depth: usize) -> Vec<Route> {
        if !spec.routes.is_empty() && depth + 1 >= DEEPEST {
            self.note(path, Invalid::new("routes", format!("deeper than {DEEPEST} levels")));
            return Vec::new();
        }
        let mut children: Vec<Route> = Vec::new();
        for (i, child) in spec.routes.iter().enumerate() {
            if self.nodes == MOST {
                self.note(path, Invalid::new("routes", format!("more than {MOST} routes")));
                break;
            }
            let mut key = format!("{}/{}", route.key, print_list(&child.matchers));
            let twins = children.iter().filter(|other| other.matchers == child.matchers).count();
            if twins > 0 {
                key.push_str(&format!("#{}", twins + 1));
            }
            children.push(self.route(child, route, key, &format!("{path}routes[{i}]."), depth + 1));
        }
        children
    }

    fn receiver(&mut self, path: &str, field: &str, name: &str) {
        if !(self.knows)(name) {
            let message = match name {
                "" => "must name a receiver".to_owned(),
                name => format!("names {}, and there is no such receiver", shown(name)),
            };
            self.note(path, Invalid::new(field, message));
        }
    }

    fn escalation(&mut self, path: &str, steps: &[Step]) {
        if steps.len() > MOST_STEPS {
            self.note(path, Invalid::new("escalate", format!("more than {MOST_STEPS} steps")));
        }
        let mut last = Duration::ZERO;
        for (i, step) in steps.iter().enumerate() {
            let at = format!("{path}escalate[{i}].");
            self.time(&at, "after", Some(step.after), Duration::ZERO, 1..=31 * 86_400);
            if step.after <= last {
                self.note(&at, Invalid::new("after", "must be longer than that of the step before"));
            }
            last = step.after;
            self.receiver(&at, "receiver", &step.receiver);
        }
    }

    fn time(
        &mut self,
        path: &str,
        field: &str,
        said: Option<Duration>,
        above: Duration,
        seconds: RangeInclusive<u64>,
    ) -> Duration {
        let time = said.unwrap_or(above);
        let range = Duration::from_secs(*seconds.start())..=Duration::from_secs(*seconds.end());
        if !range.contains(&time) {
            let message = format!("must be from {} to {} seconds", seconds.start(), seconds.end());
            self.note(path, Invalid::new(field, message));
        }
        time
    }
}
