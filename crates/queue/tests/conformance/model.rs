//! A small model of one queue: the state machine as plainly as it can be said, with every job in one map and no care
//! for speed. What a broker does must look like this from outside.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use job::{JobId, JobState};
use queue::record::KEPT_ERRORS;
use queue::{Cancelled, Disposition, Enqueued, Extended, FinishResult, Redriven, Solo};

pub const LEASE: i64 = 15_000;
pub const SILENCE: i64 = 5_000;
const CHOSEN: i64 = 30_000;

/// A job; times in milliseconds.
#[derive(Debug, Clone)]
pub struct Job {
    pub state: JobState,
    pub priority: u8,
    pub due: i64,
    pub run_at: i64,
    pub expires: Option<i64>,
    pub key: Option<String>,
    pub hold: i64,
    pub attempt: u32,
    pub losses: u32,
    pub token: u64,
    pub lease_until: i64,
    pub cancel: bool,
    pub solo: bool,
    pub started: Option<i64>,
    pub ended: i64,
    pub errors: Vec<(u32, i64, String)>,
    pub result: Option<String>,
    pub snoozed: Option<String>,
    pub unknown_since: Option<i64>,
}

impl Job {
    fn is_suspect(&self) -> bool {
        self.state == JobState::Available && self.losses >= 2
    }

    /// Among scheduled jobs that are due at the same time a suspect is the last.
    fn priority_when_due(&self) -> i64 {
        if self.losses >= 2 { 15 } else { self.priority.into() }
    }
}

/// What a lease hands out: id, attempt, losses, solo, number of errors, unknown since.
pub type Handed = (JobId, u32, u32, bool, usize, Option<i64>);

/// What an exchange answers besides the results of its finishes.
#[derive(Debug, Default, PartialEq)]
pub struct Leasing {
    pub leased: Vec<Handed>,
    pub next_due: Option<i64>,
    pub expired: u32,
    pub solo: Solo,
}

#[derive(Debug, Default, PartialEq)]
pub struct Housekeeping {
    pub promoted: u32,
    pub reaped: u32,
    pub crashed: u32,
    pub cancel_requested: Vec<JobId>,
}

#[derive(Debug, Default)]
pub struct Model {
    pub now: i64,
    pub jobs: BTreeMap<JobId, Job>,
    pub paused: bool,
    /// Unique key → who holds it, and until when; no time while it lives.
    keys: BTreeMap<String, (JobId, Option<i64>)>,
    chosen: Option<(u64, i64)>,
    maintained: Option<i64>,
    reap_after: i64,
}

impl Model {
    fn holder(&self, key: &str) -> Option<JobId> {
        self.keys.get(key).filter(|(_, until)| until.is_none_or(|until| until > self.now)).map(|(id, _)| *id)
    }

    fn end(&mut self, id: JobId, state: JobState) {
        let job = self.jobs.get_mut(&id).unwrap();
        (job.state, job.ended, job.cancel, job.solo) = (state, self.now, false, false);
        let Some(key) = &job.key else { return };
        if self.keys.get(key).is_some_and(|(holder, _)| *holder == id) {
            self.keys.insert(key.clone(), (id, Some(self.now + job.hold)));
        }
    }

    fn wait(&mut self, id: JobId, due: i64) {
        let job = self.jobs.get_mut(&id).unwrap();
        (job.due, job.cancel, job.solo) = (due, false, false);
        job.state = if due > self.now { JobState::Scheduled } else { JobState::Available };
    }

    fn fail(&mut self, id: JobId, error: &str) {
        let now = self.now;
        let job = self.jobs.get_mut(&id).unwrap();
        job.errors.push((job.attempt, now, error.to_owned()));
        if job.errors.len() > KEPT_ERRORS {
            job.errors.remove(0);
        }
    }

    /// `job` as it is to be; `due` `None` for at once.
    pub fn enqueue(&mut self, id: JobId, due: Option<i64>, mut job: Job) -> Enqueued {
        if self.jobs.contains_key(&id) {
            return Enqueued::Duplicate(id);
        }
        if let Some(holder) = job.key.as_ref().and_then(|key| self.holder(key)) {
            return Enqueued::Duplicate(holder);
        }
        job.due = due.unwrap_or(self.now).max(self.now);
        job.state = if job.due > self.now { JobState::Scheduled } else { JobState::Available };
        if let Some(key) = &job.key {
            self.keys.insert(key.clone(), (id, None));
        }
        self.jobs.insert(id, job);
        Enqueued::New
    }

    pub fn finish(&mut self, id: JobId, token: u64, disposition: &Disposition) -> FinishResult {
        let Some(job) = self.jobs.get_mut(&id) else { return FinishResult::Stale };
        if job.state != JobState::Running || job.token != token {
            return FinishResult::Stale;
        }
        let (now, cancel, run_at) = (self.now, job.cancel, job.run_at);
        job.unknown_since = None;
        let goes_back =
            matches!(disposition, Disposition::Retry { .. } | Disposition::Snooze { .. } | Disposition::Release);
        if goes_back && cancel {
            self.end(id, JobState::Cancelled);
            return FinishResult::Done;
        }
        match disposition {
            Disposition::Completed { result } => {
                job.result.clone_from(result);
                self.end(id, JobState::Completed);
            }
            Disposition::Dead { error } => {
                self.fail(id, error);
                self.end(id, JobState::Dead);
            }
            Disposition::Cancelled => self.end(id, JobState::Cancelled),
            Disposition::Expired => self.end(id, JobState::Expired),
            Disposition::Retry { delay, error } => {
                self.fail(id, error);
                self.wait(id, now + delay.as_millis() as i64);
            }
            Disposition::Snooze { delay, reason, unknown_since } => {
                job.attempt -= 1;
                job.snoozed = Some(reason.clone());
                job.unknown_since = unknown_since.map(|t| t.as_millisecond());
                self.wait(id, now + delay.as_millis() as i64);
            }
            Disposition::Release => {
                job.attempt -= 1;
                self.wait(id, run_at.min(now));
            }
        }
        FinishResult::Done
    }

    /// Waiting jobs in their order: (priority, due, id) for the available, (due, id) for suspects, (due, priority, id)
    /// for the scheduled.
    fn in_order(&self, of: impl Fn(&Job) -> bool, rank: impl Fn(&Job) -> (i64, i64)) -> Vec<JobId> {
        let mut found: Vec<_> = self.jobs.iter().filter(|(_, job)| of(job)).map(|(id, job)| (rank(job), *id)).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, id)| id).collect()
    }

    fn available(&self) -> Vec<JobId> {
        let plain = |job: &Job| job.state == JobState::Available && !job.is_suspect();
        self.in_order(plain, |job| (job.priority.into(), job.due))
    }

    fn suspects(&self) -> Vec<JobId> {
        self.in_order(Job::is_suspect, |job| (job.due, 0))
    }

    fn scheduled(&self) -> Vec<JobId> {
        self.in_order(|job| job.state == JobState::Scheduled, |job| (job.due, job.priority_when_due()))
    }

    fn promote(&mut self, limit: usize) -> u32 {
        let due: Vec<_> = self.scheduled().into_iter().filter(|id| self.jobs[id].due <= self.now).take(limit).collect();
        for id in &due {
            self.jobs.get_mut(id).unwrap().state = JobState::Available;
        }
        due.len() as u32
    }

    fn take(&mut self, id: JobId, token: u64, solo: bool) -> Handed {
        let now = self.now;
        let job = self.jobs.get_mut(&id).unwrap();
        (job.state, job.token, job.solo, job.started) = (JobState::Running, token, solo, Some(now));
        (job.attempt, job.lease_until) = (job.attempt + 1, now + LEASE);
        (id, job.attempt, job.losses, solo, job.errors.len(), job.unknown_since)
    }

    /// Whether the job's time has passed; then it expires.
    fn is_late(&mut self, id: JobId) -> bool {
        let late = self.jobs[&id].expires.is_some_and(|at| at <= self.now);
        if late {
            self.end(id, JobState::Expired);
        }
        late
    }

    pub fn lease(&mut self, max: usize, token: u64, worker: u64, idle: bool) -> Leasing {
        let mut answer = Leasing::default();
        if max == 0 || self.paused {
            return answer;
        }
        if let Some(first) = self.suspects().first().copied() {
            if idle {
                if self.is_late(first) {
                    answer.expired += 1;
                } else {
                    self.chosen = None;
                    answer.leased.push(self.take(first, token, true));
                    return answer;
                }
            } else if worker != 0 && self.chosen.is_none_or(|(chosen, until)| chosen == worker || until <= self.now) {
                self.chosen = Some((worker, self.now + CHOSEN));
                answer.solo = Solo::MakeRoom;
                return answer;
            } else {
                answer.solo = Solo::Elsewhere;
            }
        }
        self.promote(max);
        for id in self.available().into_iter().take(max) {
            if self.is_late(id) {
                answer.expired += 1;
            } else {
                let handed = self.take(id, token, false);
                answer.leased.push(handed);
            }
        }
        if answer.leased.len() < max {
            let first = self.scheduled().first().map(|id| self.jobs[id].due.max(self.now));
            answer.next_due = if self.available().is_empty() { first } else { Some(self.now) };
        }
        answer
    }

    pub fn extend(&mut self, id: JobId, token: u64) -> Extended {
        let now = self.now;
        match self.jobs.get_mut(&id) {
            Some(job) if job.state == JobState::Running && job.token == token => {
                job.lease_until = now + LEASE;
                if job.cancel { Extended::CancelRequested } else { Extended::Renewed }
            }
            _ => Extended::Lost,
        }
    }

    pub fn maintain(&mut self) -> Housekeeping {
        let mut done = Housekeeping::default();
        if self.maintained.is_none_or(|last| self.now - last > SILENCE) {
            self.reap_after = self.now + LEASE;
        }
        self.maintained = Some(self.now);
        done.promoted = self.promote(usize::MAX);
        if self.now >= self.reap_after {
            let now = self.now;
            let lost = self.in_order(|job| job.state == JobState::Running && job.lease_until < now, |_| (0, 0));
            for id in lost {
                done.reaped += 1;
                let job = self.jobs.get_mut(&id).unwrap();
                job.losses += 1;
                if job.cancel {
                    self.end(id, JobState::Cancelled);
                } else if job.solo {
                    done.crashed += 1;
                    self.fail(id, "crashed");
                    self.end(id, JobState::Dead);
                } else {
                    job.attempt -= 1;
                    let due = job.run_at.min(now);
                    self.wait(id, due);
                }
            }
        }
        done.cancel_requested = self.in_order(|job| job.cancel, |_| (0, 0));
        done
    }

    pub fn cancel(&mut self, id: JobId) -> Cancelled {
        let Some(job) = self.jobs.get_mut(&id) else { return Cancelled::NotFound };
        match job.state {
            JobState::Scheduled | JobState::Available => {
                self.end(id, JobState::Cancelled);
                Cancelled::Now
            }
            JobState::Running => {
                job.cancel = true;
                Cancelled::Requested
            }
            ended => Cancelled::Ended(ended),
        }
    }

    pub fn redrive(&mut self, id: JobId) -> Redriven {
        let Some(job) = self.jobs.get(&id) else { return Redriven::NotFound };
        if !job.state.may_redrive() {
            return Redriven::WrongState(job.state);
        }
        if let Some(key) = job.key.clone() {
            if let Some(holder) = self.holder(&key).filter(|holder| *holder != id) {
                return Redriven::KeyHeld(holder);
            }
            self.keys.insert(key, (id, None));
        }
        let job = self.jobs.get_mut(&id).unwrap();
        (job.attempt, job.losses, job.started, job.expires) = (0, 0, None, None);
        (job.snoozed, job.unknown_since) = (None, None);
        self.wait(id, self.now);
        Redriven::Now
    }

    pub fn counts(&self) -> [u64; 7] {
        JobState::ALL.map(|state| self.jobs.values().filter(|job| job.state == state).count() as u64)
    }

    pub fn oldest(&self) -> Option<i64> {
        let due = self.jobs.values().filter(|job| job.state == JobState::Available).map(|job| job.due).min();
        due.map(|due| (self.now - due).max(0))
    }

    /// All jobs as a list shows them: state by state, the last in the state's own order first.
    pub fn listed(&self) -> Vec<JobId> {
        let mut all: Vec<_> = self
            .jobs
            .iter()
            .map(|(id, job)| {
                let rank = match job.state {
                    JobState::Scheduled => (job.due, job.priority_when_due()),
                    JobState::Available if job.is_suspect() => (job.due, 0),
                    JobState::Available => (job.priority.into(), job.due),
                    JobState::Running => (job.lease_until, 0),
                    _ => (job.ended, 0),
                };
                ((job.state, job.is_suspect(), Reverse(rank), Reverse(*id)), *id)
            })
            .collect();
        all.sort_unstable();
        all.into_iter().map(|(_, id)| id).collect()
    }
}
