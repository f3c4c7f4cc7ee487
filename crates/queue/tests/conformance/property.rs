//! Random operations, step by step, against the [`Model`]: every answer must be the model's, and after every step every
//! job, the order of the lists and the counts must be.

use std::cell::Cell;
use std::time::Duration;

use job::clock::from_ms;
use job::{Clock, Envelope, JobState, Priority, UniqueKey};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use queue::{Disposition, Enqueue, Filter, Finish, FinishResult, JobRecord, Lease, LeaseRequest, Redriven, Solo};

use crate::backend::{Backend, InRedis, SqliteInMemory};
use crate::model::{Housekeeping, Job, Leasing, Model};
use crate::stage::*;

/// A step. Jobs and leases are named by their number among all that there were, modulo.
#[derive(Debug, Clone)]
enum Step {
    Enqueue(Vec<New>),
    EnqueueAgain(Index),
    Exchange {
        finishes: Vec<End>,
        lease: Option<(usize, u64, bool)>,
    },
    Extend(Vec<(Index, bool)>),
    Advance(Duration),
    Maintain,
    /// Time passes with housekeeping at work: long enough for leases to run out that nobody renews.
    LoseWorkers,
    Cancel(Index),
    Redrive(Index),
    Pause(bool),
}

#[derive(Debug, Clone)]
struct New {
    priority: u8,
    delay_ms: i64,
    expires_ms: Option<i64>,
    key: Option<(u8, u64)>,
}

#[derive(Debug, Clone)]
struct End {
    lease: Index,
    /// The token is another one.
    forged: bool,
    disposition: Disposition,
}

fn new() -> impl Strategy<Value = New> {
    let delay = prop_oneof![5 => Just(0_i64), 3 => 1_i64..30_000, 1 => -5_000_i64..0];
    let expires = prop_oneof![6 => Just(None), 1 => (0_i64..40_000).prop_map(Some)];
    let key = prop_oneof![1 => Just(None), 1 => (0_u8..2, prop_oneof![Just(0_u64), Just(20)]).prop_map(Some)];
    (0_u8..10, delay, expires, key).prop_map(|(priority, delay_ms, expires_ms, key)| New {
        priority,
        delay_ms,
        expires_ms,
        key,
    })
}

fn disposition() -> impl Strategy<Value = Disposition> {
    let delay = || prop_oneof![1 => Just(0_u64), 2 => 1_u64..20_000].prop_map(Duration::from_millis);
    let since = proptest::option::of((1_700_000_000_000_i64..1_700_000_100_000).prop_map(from_ms));
    prop_oneof![
        4 => Just(Disposition::Completed { result: None }),
        1 => Just(Disposition::Completed { result: Some("{\"n\":1}".into()) }),
        3 => (delay(), "[a-zé\"\\\\]{0,9}").prop_map(|(delay, error)| Disposition::Retry { delay, error }),
        2 => (delay(), since).prop_map(|(delay, unknown_since)| Disposition::Snooze {
            delay, reason: "away".into(), unknown_since
        }),
        2 => Just(dead()),
        1 => Just(Disposition::Cancelled),
        1 => Just(Disposition::Expired),
        2 => Just(Disposition::Release),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let end = (any::<Index>(), proptest::bool::weighted(0.1), disposition())
        .prop_map(|(lease, forged, disposition)| End { lease, forged, disposition });
    let request = (0_usize..6, 0_u64..4, proptest::bool::weighted(0.3));
    let exchange = (proptest::collection::vec(end, 0..5), proptest::option::weighted(0.7, request))
        .prop_map(|(finishes, lease)| Step::Exchange { finishes, lease });
    let advance = prop_oneof![
        2 => 0_u64..1_000,
        4 => 1_000_u64..4_500,
        1 => 4_900_u64..5_100,
        1 => 14_900_u64..15_100,
        1 => 15_000_u64..60_000,
    ];
    prop_oneof![
        4 => proptest::collection::vec(new(), 0..5).prop_map(Step::Enqueue),
        1 => any::<Index>().prop_map(Step::EnqueueAgain),
        8 => exchange,
        2 => proptest::collection::vec((any::<Index>(), proptest::bool::weighted(0.1)), 0..4).prop_map(Step::Extend),
        5 => advance.prop_map(|ms| Step::Advance(Duration::from_millis(ms))),
        4 => Just(Step::Maintain),
        3 => Just(Step::LoseWorkers),
        2 => any::<Index>().prop_map(Step::Cancel),
        4 => any::<Index>().prop_map(Step::Redrive),
        1 => proptest::bool::weighted(0.2).prop_map(Step::Pause),
    ]
}

/// A stage, the model beside it, and what was handed out so far.
struct Run {
    s: Stage,
    model: Model,
    envelopes: Vec<Envelope>,
    leases: Vec<Lease>,
    reached: Reached,
}

/// The rarer things that happened: a walk that never reaches them says nothing about them.
#[derive(Debug, Default, Clone, Copy)]
struct Reached {
    stale: u32,
    expired: u32,
    solo: u32,
    make_room: u32,
    elsewhere: u32,
    crashed: u32,
    key_held: u32,
}

impl Reached {
    fn add(&mut self, other: Self) {
        self.stale += other.stale;
        self.expired += other.expired;
        self.solo += other.solo;
        self.make_room += other.make_room;
        self.elsewhere += other.elsewhere;
        self.crashed += other.crashed;
        self.key_held += other.key_held;
    }

    fn all(self) -> bool {
        let counts = [self.stale, self.expired, self.solo, self.make_room, self.elsewhere, self.crashed, self.key_held];
        counts.iter().all(|n| *n > 0)
    }
}

type Checked = Result<(), TestCaseError>;

impl Run {
    async fn step(&mut self, step: &Step) -> Checked {
        self.model.now = self.s.clock.now_ms();
        match step {
            Step::Enqueue(new) => {
                let envelopes: Vec<Envelope> = new.iter().map(|new| self.envelope(new)).collect();
                self.enqueue(envelopes).await
            }
            Step::EnqueueAgain(which) => {
                let known = pick(which, &self.envelopes).cloned();
                self.enqueue(known.into_iter().collect()).await
            }
            Step::Exchange { finishes, lease } => self.exchange(finishes, *lease).await,
            Step::Extend(which) => self.extend(which).await,
            Step::Advance(by) => {
                self.s.clock.advance(*by);
                self.model.now = self.s.clock.now_ms();
                Ok(())
            }
            Step::Maintain => self.maintain().await,
            Step::LoseWorkers => {
                for _ in 0..5 {
                    self.s.clock.advance(4 * SECOND);
                    self.model.now = self.s.clock.now_ms();
                    self.maintain().await?;
                }
                Ok(())
            }
            Step::Cancel(which) => {
                let Some(id) = pick(which, &self.envelopes).map(|e| e.id) else { return Ok(()) };
                prop_assert_eq!(self.s.broker.cancel(id).await.unwrap(), self.model.cancel(id));
                Ok(())
            }
            Step::Redrive(which) => {
                let Some(id) = pick(which, &self.envelopes).map(|e| e.id) else { return Ok(()) };
                let answer = self.s.broker.redrive(id).await.unwrap();
                self.reached.key_held += u32::from(matches!(answer, Redriven::KeyHeld(_)));
                prop_assert_eq!(answer, self.model.redrive(id));
                Ok(())
            }
            Step::Pause(paused) => {
                self.model.paused = *paused;
                let queue = &self.s.queue;
                if *paused {
                    self.s.broker.pause(queue).await.unwrap()
                } else {
                    self.s.broker.resume(queue).await.unwrap()
                }
                Ok(())
            }
        }
    }

    fn envelope(&mut self, new: &New) -> Envelope {
        let mut e = self.s.job();
        let now = e.created_at.as_millisecond();
        e.run_at = from_ms(now + new.delay_ms);
        e.priority = Priority::new(new.priority).unwrap();
        e.expires_at = new.expires_ms.map(|ms| from_ms(now + ms));
        if let Some((key, hold)) = new.key {
            e.unique_key = Some(UniqueKey::new(&format!("key-{key}")).unwrap());
            e.unique_for = Duration::from_secs(hold);
        }
        self.envelopes.push(e.clone());
        e
    }

    async fn enqueue(&mut self, envelopes: Vec<Envelope>) -> Checked {
        let jobs: Vec<Enqueue> = envelopes.iter().cloned().map(Enqueue::from).collect();
        let answers = self.s.broker.enqueue(&jobs).await.unwrap();
        prop_assert_eq!(answers.len(), envelopes.len());
        for (e, answer) in envelopes.iter().zip(answers) {
            let run_at = e.run_at.as_millisecond();
            let due = (e.run_at > e.created_at).then_some(run_at);
            prop_assert_eq!(answer, self.model.enqueue(e.id, due, job(e)));
        }
        Ok(())
    }

    async fn exchange(&mut self, ends: &[End], lease: Option<(usize, u64, bool)>) -> Checked {
        let mut finishes = Vec::new();
        // Plain completions may be finished before the others of a call, so a lease is named only once in it.
        for end in ends {
            let Some(lease) = pick(&end.lease, &self.leases) else { continue };
            let lease = Lease { token: lease.token ^ u64::from(end.forged), ..*lease };
            if finishes.iter().all(|finish: &Finish| finish.lease.id != lease.id) {
                let e = self.envelopes.iter().find(|e| e.id == lease.id).unwrap();
                let unique = e.unique_key.clone().map(|key| (key, e.unique_for));
                finishes.push(Finish { lease, disposition: end.disposition.clone(), priority: e.priority, unique });
            }
        }
        let request = lease.map(|(max, worker, idle)| LeaseRequest { worker, idle, ..self.s.request(max) });
        let answer = self.s.broker.exchange(&self.s.queue, &finishes, request).await.unwrap();
        prop_assert_eq!(answer.finished.len(), finishes.len());
        for (finish, result) in finishes.iter().zip(&answer.finished) {
            let expected = self.model.finish(finish.lease.id, finish.lease.token, &finish.disposition);
            prop_assert_eq!(*result, expected, "{:?}", finish);
        }
        let expected = request.map_or_else(Leasing::default, |r| self.model.lease(r.max, r.token, r.worker, r.idle));
        let leased = answer.leased.iter().map(|l| {
            (l.lease.id, l.attempt, l.losses, l.solo, l.errors.len(), l.unknown_since.map(|t| t.as_millisecond()))
        });
        let found = Leasing {
            leased: leased.collect(),
            next_due: answer.next_due.map(|t| t.as_millisecond()),
            expired: answer.expired,
            solo: answer.solo,
        };
        prop_assert_eq!(found, expected);
        self.reached.stale += answer.finished.iter().filter(|result| **result == FinishResult::Stale).count() as u32;
        self.reached.solo += answer.leased.iter().filter(|leased| leased.solo).count() as u32;
        self.reached.make_room += u32::from(answer.solo == Solo::MakeRoom);
        self.reached.elsewhere += u32::from(answer.solo == Solo::Elsewhere);
        self.reached.expired += answer.expired;
        self.leases.extend(answer.leased.iter().map(|leased| leased.lease));
        Ok(())
    }

    async fn extend(&mut self, which: &[(Index, bool)]) -> Checked {
        let mut leases = Vec::new();
        for (which, forged) in which {
            let Some(lease) = pick(which, &self.leases) else { continue };
            leases.push(Lease { token: lease.token ^ u64::from(*forged), ..*lease });
        }
        let answers = self.s.broker.extend(&self.s.queue, &leases).await.unwrap();
        let expected: Vec<_> = leases.iter().map(|lease| self.model.extend(lease.id, lease.token)).collect();
        prop_assert_eq!(answers, expected);
        Ok(())
    }

    async fn maintain(&mut self) -> Checked {
        let mut done = self.s.maintain().await;
        done.cancel_requested.sort_unstable();
        self.reached.crashed += done.crashed;
        let found = Housekeeping {
            promoted: done.promoted,
            reaped: done.reaped,
            crashed: done.crashed,
            cancel_requested: done.cancel_requested,
        };
        prop_assert_eq!(found, self.model.maintain());
        prop_assert_eq!((done.trimmed, done.more), (0, false));
        Ok(())
    }

    /// Compares all that is to be seen.
    async fn check(&self) -> Checked {
        let filter = Filter { queue: Some(self.s.queue.clone()), ..Filter::default() };
        let (mut found, mut cursor): (Vec<JobRecord>, _) = (Vec::new(), None);
        loop {
            let page = self.s.broker.list(&filter, 1_000, cursor).await.unwrap();
            found.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        // Jobs that completed in one instant may be listed in either order.
        let first = found.iter().position(|r| r.state == JobState::Completed).unwrap_or(0);
        let n = found.iter().filter(|r| r.state == JobState::Completed).count();
        found[first..first + n].sort_by_key(|r| std::cmp::Reverse((r.finished_at, r.id)));
        let listed: Vec<_> = found.iter().map(|record| record.id).collect();
        prop_assert_eq!(listed, self.model.listed());
        for record in &found {
            let job = &self.model.jobs[&record.id];
            prop_assert_eq!(seen(record), expected(job), "{}", record.id);
        }
        let stats = self.s.broker.stats().await.unwrap();
        let stats = stats.into_iter().find(|stats| stats.queue == self.s.queue).unwrap();
        prop_assert_eq!(stats.counts, self.model.counts());
        prop_assert_eq!(stats.oldest.map(|age| age.as_millis() as i64), self.model.oldest());
        prop_assert_eq!(stats.paused, self.model.paused);
        Ok(())
    }
}

fn pick<'a, T>(which: &Index, all: &'a [T]) -> Option<&'a T> {
    (!all.is_empty()).then(|| which.get(all))
}

/// The model's job for an envelope.
fn job(e: &Envelope) -> Job {
    Job {
        state: JobState::Available,
        priority: e.priority.get(),
        due: 0,
        run_at: e.run_at.as_millisecond(),
        expires: e.expires_at.map(|t| t.as_millisecond()),
        key: e.unique_key.as_ref().map(|key| key.as_str().to_owned()),
        hold: e.unique_for.as_millis() as i64,
        attempt: 0,
        losses: 0,
        token: 0,
        lease_until: 0,
        cancel: false,
        solo: false,
        started: None,
        ended: 0,
        errors: Vec::new(),
        result: None,
        snoozed: None,
        unknown_since: None,
    }
}

/// What is compared of a job, as text.
fn seen(r: &JobRecord) -> String {
    let ms = |t: Option<jiff::Timestamp>| t.map(|t| t.as_millisecond());
    let error = |e: &queue::PastError| (e.attempt, e.at.as_millisecond(), shortened(&e.error).to_owned());
    let errors: Vec<_> = r.errors.iter().map(error).collect();
    let times = (ms(r.due_at), ms(r.started_at), ms(r.finished_at));
    let expires = ms(r.envelope.as_ref().unwrap().expires_at);
    let rest = (errors, &r.result, &r.snoozed, expires);
    format!("{} {times:?} {} {} {} {rest:?}", r.state, r.attempt, r.losses, r.cancel_requested)
}

fn expected(job: &Job) -> String {
    let waits = matches!(job.state, JobState::Scheduled | JobState::Available);
    let times = (waits.then_some(job.due), job.started, job.state.is_terminal().then_some(job.ended));
    let rest = (&job.errors, &job.result, &job.snoozed, job.expires);
    format!("{} {times:?} {} {} {} {rest:?}", job.state, job.attempt, job.losses, job.cancel)
}

/// The model does not care for the words about a crash.
fn shortened(error: &str) -> &str {
    if error.starts_with("crashed: ") { "crashed" } else { error }
}

fn hold_to_the_model<B: Backend + 'static>(cases: u32, steps: usize, backend: impl AsyncFn() -> B) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    let reached = Cell::new(Reached::default());
    // Always the same walks: what fails once fails again, and none is luckier than another.
    let chance = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let outcome =
        TestRunner::new_with_rng(config, chance).run(&proptest::collection::vec(step(), steps / 3..steps), |steps| {
            runtime.block_on(async {
                let s = Stage::set(backend().await).await;
                let mut run = Run {
                    s,
                    model: Model::default(),
                    envelopes: Vec::new(),
                    leases: Vec::new(),
                    reached: Reached::default(),
                };
                for step in &steps {
                    run.step(step).await?;
                    run.check().await?;
                }
                let mut sum = reached.get();
                sum.add(run.reached);
                reached.set(sum);
                Ok(())
            })
        });
    if let Err(e) = outcome {
        panic!("{e}");
    }
    assert!(reached.get().all(), "{:?}", reached.get());
}

#[test]
fn sqlite_in_memory_does_what_the_model_does() {
    hold_to_the_model(150, 120, async || SqliteInMemory::new());
}

#[test]
fn redis_does_what_the_model_does() {
    hold_to_the_model(60, 120, async || InRedis::new().await);
}
