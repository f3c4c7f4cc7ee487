//! What a group tells when its time has come, and when it is to be looked at next: one function without I/O.
//!
//! 1. An incident that burns and was not told, or matters more than when it was, is news, unless it is muted or somebody
//!    took it on already.
//! 2. One that was told and is over is told as over, and leaves the group. One that was over before it was told leaves it
//!    silently.
//! 3. If nothing is new, and some still burn that nobody took on, the group repeats itself after `repeat_interval`.
//! 4. What was told and nobody took on is told to the next step's receiver when that is due; who was told so is told of the
//!    end, too.
//! 5. After a message the group is quiet for `group_interval`: what comes meanwhile waits for its end, for whatever other
//!    reason the group is looked at before. Only steps do not wait. What is muted is looked at again then.
//! 6. An incident that belongs to another group by now (its severity changed, or the configuration) leaves this one. If it
//!    was told here it stays until it is over, neither repeated nor escalated: who was told that it began is told its end.

use alerting::{Route, Routes, Step};
use jiff::Timestamp;
use job::clock::after;
use store::{
    About, Change, DueGroup, GroupCall, GroupNow, Incident, IncidentEventKind, IncidentState, Member, MemberNow,
    Reason, Target, Told,
};
use uuid::Uuid;

use super::grouping;

/// Something to be told to a receiver.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Message {
    /// To whom.
    pub(super) receiver: String,
    /// Why.
    pub(super) reason: Reason,
    /// About what: news first, then what is over, then what goes on.
    pub(super) about: Vec<(Incident, Change)>,
}

impl Message {
    /// As it is stored.
    pub(super) fn stored(&self) -> Vec<About> {
        self.about.iter().map(|(incident, change)| About { incident_id: incident.id, change: *change }).collect()
    }
}

/// What becomes of a group.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decided {
    pub(super) messages: Vec<Message>,
    pub(super) group: GroupNow,
    /// What happened to incidents, in words.
    pub(super) events: Vec<(Uuid, IncidentEventKind, Option<String>)>,
    /// Groups that incidents belong to by now.
    pub(super) calls: Vec<GroupCall>,
    /// Who knows already that one of its incidents is over.
    pub(super) know: Vec<(Uuid, Target)>,
}

/// Looks at a group. `mute` says why an incident is not told just now.
pub(super) fn decide(
    routes: &Routes,
    group: DueGroup,
    mute: impl Fn(&Incident) -> Option<String>,
    now: Timestamp,
) -> Decided {
    let mut look = Look {
        now,
        quiet: group.not_before > now,
        waits: false,
        stay: Vec::new(),
        gone: Vec::new(),
        events: Vec::new(),
        calls: Vec::new(),
    };
    let (mut news, mut over) = (Vec::new(), Vec::new());
    for member in group.members {
        let belongs = grouping::belongs(routes, &member.incident, &group.key);
        match (member.incident.is_active(), member.told) {
            (false, Told::Firing) if look.quiet => look.waits = true,
            (false, Told::Firing) => {
                look.gone.push(member.incident.id);
                over.push(Over { belongs, member });
            }
            (false, Told::Nothing) => {
                look.gone.push(member.incident.id);
                look.events.push((member.incident.id, IncidentEventKind::Brief, None));
            }
            (true, Told::Firing) if !belongs => {
                look.calls.extend(grouping::calls(routes, &member.incident, false, now));
                look.stay.push(Stay { belongs, muted: member.muted.clone(), member, changed: false });
            }
            (true, Told::Nothing) if !belongs => {
                look.gone.push(member.incident.id);
                look.calls.extend(grouping::calls(routes, &member.incident, false, now));
            }
            (true, _) => look.stays(member, &mute, &mut news),
        }
    }
    // The configuration may have changed since; what is over is told to whom it would be told now.
    let route = match (routes.by_key(&group.route), over.first()) {
        (Some(route), _) => Some(route),
        (None, Some(over)) => routes.resolve(&over.member.incident.subject()).first().copied(),
        (None, None) => None,
    };
    let mut decided = Decided {
        messages: Vec::new(),
        group: GroupNow {
            key: group.key,
            due_at: None,
            not_before: group.not_before,
            notified_at: group.notified_at,
            members: Vec::new(),
            gone: Vec::new(),
            ends: look.stay.is_empty() && !look.waits,
        },
        events: Vec::new(),
        calls: Vec::new(),
        know: Vec::new(),
    };
    if let Some(route) = route {
        look.tell(route, &mut decided, &news, &over);
        decided.group.due_at = look.next(route, &decided.group);
    }
    let waiting = look.waits.then_some(decided.group.not_before);
    decided.group.due_at = [decided.group.due_at, waiting].into_iter().flatten().min();
    decided.group.members = look.stay.into_iter().filter(|stay| stay.changed).map(Stay::now).collect();
    (decided.group.gone, decided.events, decided.calls) = (look.gone, look.events, look.calls);
    decided.know = over
        .into_iter()
        .flat_map(|over| {
            let id = over.member.incident.id;
            over.member.heard.into_iter().filter(|heard| heard.over).map(move |heard| (id, heard.target))
        })
        .collect();
    decided
}

/// Whether it was told as it is now: of one that matters more since, only an earlier word is.
fn is_told(member: &Member) -> bool {
    member.told == Told::Firing && member.told_at.is_some()
}

/// A member that is over, and was told.
struct Over {
    member: Member,
    /// Whether it still belonged to the group.
    belongs: bool,
}

impl Over {
    fn told(&self) -> (Incident, Change) {
        (self.member.incident.clone(), Change::Over)
    }

    /// Whom this group told that it burns.
    fn heard_as<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a str> {
        let here = self.member.heard.iter().filter(move |heard| !heard.over && heard.group == group);
        here.map(|heard| heard.receiver.as_str())
    }
}

/// A member that stays.
struct Stay {
    member: Member,
    /// Whether it belongs here; else it only waits for its end.
    belongs: bool,
    muted: Option<String>,
    changed: bool,
}

impl Stay {
    fn is_told_and_waits(&self) -> bool {
        self.belongs
            && is_told(&self.member)
            && self.muted.is_none()
            && self.member.incident.state == IncidentState::Open
    }

    fn now(self) -> MemberNow {
        MemberNow {
            incident_id: self.member.incident.id,
            told: self.member.told,
            told_at: self.member.told_at,
            steps: self.member.steps,
            muted: self.muted,
        }
    }

    /// The step of escalation that comes next, and when.
    fn next_step<'r>(&self, route: &'r Route) -> Option<(usize, &'r Step, Timestamp)> {
        let n = usize::try_from(self.member.steps).ok()?;
        let step = route.escalation.get(n)?;
        Some((n, step, after(self.member.told_at?, step.after)))
    }
}

struct Look {
    now: Timestamp,
    /// Whether the group told something so lately that news and ends have to wait.
    quiet: bool,
    /// Whether there are any.
    waits: bool,
    stay: Vec<Stay>,
    gone: Vec<Uuid>,
    events: Vec<(Uuid, IncidentEventKind, Option<String>)>,
    calls: Vec<GroupCall>,
}

impl Look {
    /// A member that burns and belongs here.
    fn stays(&mut self, member: Member, mute: impl Fn(&Incident) -> Option<String>, news: &mut Vec<usize>) {
        let muted = mute(&member.incident);
        let id = member.incident.id;
        match (&member.muted, &muted) {
            (None, Some(why)) => self.events.push((id, IncidentEventKind::Muted, Some(why.clone()))),
            (Some(_), None) => self.events.push((id, IncidentEventKind::Unmuted, None)),
            _ => {}
        }
        let changed = member.muted != muted;
        if !is_told(&member) && muted.is_none() && member.incident.state == IncidentState::Open {
            match self.quiet {
                true => self.waits = true,
                false => news.push(self.stay.len()),
            }
        }
        self.stay.push(Stay { member, belongs: true, muted, changed });
    }

    fn tell(&mut self, route: &Route, decided: &mut Decided, news: &[usize], over: &[Over]) {
        let now = self.now;
        let group = decided.group.key.clone();
        let (here, elsewhere): (Vec<&Over>, Vec<&Over>) = over.iter().partition(|over| {
            let mut heard_as = over.heard_as(&group).peekable();
            over.belongs || heard_as.peek().is_none() || heard_as.any(|receiver| receiver == route.receiver)
        });
        let repeats = !self.quiet
            && news.is_empty()
            && decided.group.notified_at.is_some_and(|told| after(told, route.timing.repeat_interval) <= now)
            && self.stay.iter().any(Stay::is_told_and_waits);
        if !news.is_empty() || !here.is_empty() || repeats {
            let (new, still): (Vec<_>, Vec<_>) = self
                .stay
                .iter()
                .enumerate()
                .filter(|(n, stay)| news.contains(n) || stay.is_told_and_waits())
                .partition(|(n, _)| news.contains(n));
            let reason = match (news.is_empty(), here.is_empty()) {
                (false, _) => Reason::Raised,
                (true, false) => Reason::Resolved,
                (true, true) => Reason::Repeated,
            };
            let of = |all: Vec<(usize, &Stay)>, change| {
                all.into_iter().map(move |(_, stay)| (stay.member.incident.clone(), change)).collect::<Vec<_>>()
            };
            let mut about = of(new, Change::News);
            about.extend(here.iter().map(|over| over.told()));
            about.extend(of(still, Change::Still));
            decided.group.not_before = after(now, route.timing.group_interval);
            if about.iter().any(|(_, change)| *change != Change::Over) {
                decided.group.notified_at = Some(now);
            }
            decided.messages.push(Message { receiver: route.receiver.clone(), reason, about });
        } else if !elsewhere.is_empty() {
            decided.group.not_before = after(now, route.timing.group_interval);
        }
        decided.messages.extend(relieve(route, &group, over));
        for n in news {
            let stay = &mut self.stay[*n];
            (stay.member.told, stay.changed) = (Told::Firing, true);
            stay.member.told_at.get_or_insert(now);
        }
        self.escalate(route, decided);
    }

    /// Each step that is due is told of all that it is due for. Steps that were missed are taken one by one.
    fn escalate(&mut self, route: &Route, decided: &mut Decided) {
        for n in 0..route.escalation.len() {
            let mut about = Vec::new();
            for stay in self.stay.iter_mut().filter(|stay| stay.is_told_and_waits()) {
                if stay.next_step(route).is_some_and(|(next, _, at)| next == n && at <= self.now) {
                    stay.member.steps += 1;
                    stay.changed = true;
                    about.push((stay.member.incident.clone(), Change::News));
                }
            }
            if !about.is_empty() {
                let receiver = route.escalation[n].receiver.clone();
                decided.messages.push(Message { receiver, reason: Reason::Escalated, about });
            }
        }
    }

    /// When the group is to be looked at next.
    fn next(&self, route: &Route, group: &GroupNow) -> Option<Timestamp> {
        let waiting =
            |stay: &Stay| stay.belongs && stay.muted.is_some() && stay.member.incident.state == IncidentState::Open;
        let muted = self.stay.iter().any(waiting);
        let muted = muted.then(|| after(self.now, route.timing.group_interval));
        let told = || self.stay.iter().filter(|stay| stay.is_told_and_waits());
        let repeat = group.notified_at.filter(|_| told().next().is_some());
        let repeat = repeat.map(|told| after(told, route.timing.repeat_interval).max(group.not_before));
        let step = told().filter_map(|stay| stay.next_step(route)).map(|(_, _, at)| at).min();
        [muted, repeat, step].into_iter().flatten().min()
    }
}

/// Who else was told is told that it is over, too: because nobody acknowledged, or because it belonged here before.
fn relieve(route: &Route, group: &str, over: &[Over]) -> Vec<Message> {
    let mut by_receiver: Vec<(&str, Vec<(Incident, Change)>)> = Vec::new();
    let mut tell = |receiver, over: &Over| match by_receiver.iter_mut().find(|(known, _)| *known == receiver) {
        _ if receiver == route.receiver => {}
        Some((_, about)) if about.iter().any(|(incident, _)| incident.id == over.member.incident.id) => {}
        Some((_, about)) => about.push(over.told()),
        None => by_receiver.push((receiver, vec![over.told()])),
    };
    for over in over {
        let steps = usize::try_from(over.member.steps).unwrap_or_default();
        let steps = route.escalation.iter().take(steps).map(|step| step.receiver.as_str());
        steps.filter(|_| over.belongs).for_each(|receiver| tell(receiver, over));
        over.heard_as(group).for_each(|receiver| tell(receiver, over));
    }
    let message =
        |(receiver, about): (&str, _)| Message { receiver: receiver.to_owned(), reason: Reason::Resolved, about };
    by_receiver.into_iter().map(message).collect()
}
