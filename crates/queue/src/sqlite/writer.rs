//! The one writer: group commit.
//!
//! 1. Operations come through a channel. The writer takes one, and with it all that wait at that moment.
//! 2. It opens one transaction for the group. All enqueues of the group become one bulk write; every other operation
//!    runs under a savepoint of its own, so that one that fails takes nothing of its neighbours with it.
//! 3. It commits: one fsync for the whole group. Only then anybody is answered, and those who wait for work are woken.
//! 4. If the commit itself fails, the whole group failed, and everybody is told so.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{mpsc, oneshot};

use super::enqueue::{self, Written};
use super::wake::Bell;
use super::work::{Known, Operation, Work};
use crate::broker::Enqueued;
use crate::error::BrokerError;
use crate::settings::{Settings, Time};

/// The most operations in one transaction.
const GROUP: usize = 128;

/// The most jobs that the enqueues of one transaction may write together before the rest waits for the next.
const GROUP_JOBS: usize = 2_048;

type Reply<T> = oneshot::Sender<Result<T, BrokerError>>;

enum Command {
    Enqueue(Vec<Written>, Reply<Vec<Enqueued>>),
    Do(Box<dyn Step>),
    Close(oneshot::Sender<()>),
}

/// An operation whose answer is kept until the group is committed.
#[async_trait]
trait Step: Send {
    async fn run(&mut self, work: &mut Work<'_>) -> Result<(), BrokerError>;
    fn answer(self: Box<Self>, failed: Option<&BrokerError>);
}

struct Pending<O: Operation> {
    operation: O,
    answer: Option<O::Answer>,
    reply: Reply<O::Answer>,
}

#[async_trait]
impl<O: Operation> Step for Pending<O> {
    async fn run(&mut self, work: &mut Work<'_>) -> Result<(), BrokerError> {
        self.answer = Some(self.operation.run(work).await?);
        Ok(())
    }

    fn answer(self: Box<Self>, failed: Option<&BrokerError>) {
        let answer = match (failed, self.answer) {
            (None, Some(answer)) => Ok(answer),
            (Some(e), _) => Err(same(e)),
            (None, None) => Err(BrokerError::Unavailable("the operation was not run".into())),
        };
        // A caller that went away needs no answer.
        let _ = self.reply.send(answer);
    }
}

/// Where operations are handed in.
#[derive(Clone)]
pub(super) struct Writer {
    commands: mpsc::Sender<Command>,
}

impl Writer {
    /// Starts the writer. It ends when the last handle is dropped.
    pub(super) fn start(conn: SqliteConnection, settings: Arc<Settings>, bell: Arc<Bell>) -> Self {
        let (commands, inbox) = mpsc::channel(1_024);
        tokio::spawn(Desk { conn, settings, bell, known: Known::default() }.serve(inbox));
        Self { commands }
    }

    /// Runs an operation; returns when it is durable.
    pub(super) async fn run<O: Operation>(&self, operation: O) -> Result<O::Answer, BrokerError> {
        let (reply, answer) = oneshot::channel();
        let step = Pending { operation, answer: None, reply };
        self.commands.send(Command::Do(Box::new(step))).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Writes jobs, together with those of everybody who enqueues at this moment; returns when they are durable.
    pub(super) async fn enqueue(
        &self,
        jobs: Vec<Written>,
    ) -> Result<oneshot::Receiver<Result<Vec<Enqueued>, BrokerError>>, BrokerError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Enqueue(jobs, reply)).await.map_err(|_| gone())?;
        Ok(answer)
    }

    /// Lets the writer finish what was handed in and close its connection.
    pub(super) async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        if self.commands.send(Command::Close(reply)).await.is_ok() {
            let _ = answer.await;
        }
    }
}

/// The writer is gone: the process shuts down.
pub(super) fn gone() -> BrokerError {
    BrokerError::Unavailable("the queue is closed".into())
}

/// The writer's own side.
struct Desk {
    conn: SqliteConnection,
    settings: Arc<Settings>,
    bell: Arc<Bell>,
    known: Known,
}

/// What came in since the last commit.
#[derive(Default)]
struct Group {
    jobs: Vec<Written>,
    enqueues: Vec<(usize, Reply<Vec<Enqueued>>)>,
    steps: Vec<Box<dyn Step>>,
}

impl Group {
    fn is_full(&self) -> bool {
        self.steps.len() + self.enqueues.len() >= GROUP || self.jobs.len() >= GROUP_JOBS
    }

    fn parts(&self) -> usize {
        self.steps.len() + usize::from(!self.enqueues.is_empty())
    }
}

/// How the enqueues of a group, and each of its steps, went.
struct Results {
    enqueued: Result<Vec<Enqueued>, BrokerError>,
    steps: Vec<Option<BrokerError>>,
    wake: bool,
    rouse: bool,
}

impl Desk {
    async fn serve(mut self, mut inbox: mpsc::Receiver<Command>) {
        let mut closing = None;
        while closing.is_none() {
            let Some(mut command) = inbox.recv().await else { break };
            let mut group = Group::default();
            loop {
                match command {
                    Command::Enqueue(mut jobs, reply) => {
                        group.enqueues.push((jobs.len(), reply));
                        group.jobs.append(&mut jobs);
                    }
                    Command::Do(step) => group.steps.push(step),
                    Command::Close(reply) => closing = Some(reply),
                }
                if group.is_full() || closing.is_some() {
                    break;
                }
                match inbox.try_recv() {
                    Ok(next) => command = next,
                    Err(_) => break,
                }
            }
            if group.parts() > 0 {
                self.commit(group).await;
            }
        }
        inbox.close();
        drop(inbox);
        if let Err(e) = self.conn.close().await {
            tracing::warn!(error = %e, "the queue's file did not close cleanly");
        }
        if let Some(reply) = closing {
            let _ = reply.send(());
        }
    }

    async fn commit(&mut self, mut group: Group) {
        match self.transact(&mut group).await {
            Ok(results) => {
                self.bell.ring(results.wake, results.rouse);
                answer_enqueues(group.enqueues, results.enqueued);
                for (step, failed) in group.steps.into_iter().zip(results.steps) {
                    step.answer(failed.as_ref());
                }
            }
            Err(e) => {
                self.known.forget();
                // SQLite may have rolled back by itself (a full disk): then this one has nothing to do.
                let _ = sqlx::query("ROLLBACK").execute(&mut self.conn).await;
                answer_enqueues(group.enqueues, Err(same(&e)));
                for step in group.steps {
                    step.answer(Some(&e));
                }
            }
        }
    }

    /// Runs the group in one transaction. An error means that nothing of it was written.
    async fn transact(&mut self, group: &mut Group) -> Result<Results, BrokerError> {
        sqlx::query("BEGIN IMMEDIATE").execute(&mut self.conn).await?;
        let alone = group.parts() == 1;
        let mut results = Results { enqueued: Ok(Vec::new()), steps: Vec::new(), wake: false, rouse: false };
        if !group.jobs.is_empty() {
            let mut bulk = Pending {
                operation: enqueue::Bulk(std::mem::take(&mut group.jobs)),
                answer: None,
                reply: oneshot::channel().0,
            };
            let failed = self.step(&mut bulk, alone, &mut results).await?;
            results.enqueued = failed.map_or(Ok(bulk.answer.unwrap_or_default()), Err);
        }
        for step in &mut group.steps {
            let failed = self.step(step.as_mut(), alone, &mut results).await?;
            results.steps.push(failed);
        }
        sqlx::query("COMMIT").execute(&mut self.conn).await?;
        Ok(results)
    }

    /// Runs one step under its savepoint. `Ok(Some(_))`: it failed and left nothing; `Err`: the transaction is lost.
    async fn step(
        &mut self,
        step: &mut dyn Step,
        alone: bool,
        results: &mut Results,
    ) -> Result<Option<BrokerError>, BrokerError> {
        if !alone {
            sqlx::query("SAVEPOINT step").execute(&mut self.conn).await?;
        }
        let now = match &self.settings.time {
            Time::Server => job::Clock::now_ms(&job::SystemClock),
            Time::Virtual(clock) => clock.now_ms(),
        };
        let mut work = Work::new(&mut self.conn, &mut self.known, &self.settings, now);
        let mut done = step.run(&mut work).await;
        if done.is_ok() {
            done = work.count().await;
        }
        let (wake, rouse) = (work.wake, work.rouse);
        match done {
            Ok(()) => {
                results.wake |= wake;
                results.rouse |= rouse;
                if !alone {
                    sqlx::query("RELEASE step").execute(&mut self.conn).await?;
                }
                Ok(None)
            }
            Err(e) if alone => Err(e),
            Err(e) => {
                self.known.forget();
                // A full disk may have ended the whole transaction; then the first error is the one to be told.
                for sql in ["ROLLBACK TO step", "RELEASE step"] {
                    if sqlx::query(sql).execute(&mut self.conn).await.is_err() {
                        return Err(e);
                    }
                }
                Ok(Some(e))
            }
        }
    }
}

fn answer_enqueues(enqueues: Vec<(usize, Reply<Vec<Enqueued>>)>, result: Result<Vec<Enqueued>, BrokerError>) {
    match result {
        Ok(mut answers) => {
            // From the back, so that each split takes its own.
            for (n, reply) in enqueues.into_iter().rev() {
                let own = answers.split_off(answers.len().saturating_sub(n));
                let _ = reply.send(Ok(own));
            }
        }
        Err(e) => {
            for (_, reply) in enqueues {
                let _ = reply.send(Err(same(&e)));
            }
        }
    }
}

/// The same error once more, for another caller.
fn same(e: &BrokerError) -> BrokerError {
    match e {
        BrokerError::Unavailable(why) => BrokerError::Unavailable(why.clone()),
        BrokerError::Invalid(why) => BrokerError::Invalid(why.clone()),
        BrokerError::Corrupt(why) => BrokerError::Corrupt(why.clone()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use job::QueueName;
    use sqlx::Row;
    use tokio::sync::Notify;

    use super::*;
    use crate::sqlite::connect;

    async fn writer() -> Writer {
        let (conn, _) = connect::open("sqlite::memory:").await.unwrap();
        Writer::start(conn, Arc::new(Settings::default()), Arc::default())
    }

    /// Keeps the writer busy until it is told to go on: what is handed in meanwhile becomes one group.
    struct Hold {
        began: Arc<Notify>,
        go_on: Arc<Notify>,
    }

    #[async_trait]
    impl Operation for Hold {
        type Answer = ();
        async fn run(&mut self, _: &mut Work<'_>) -> Result<(), BrokerError> {
            self.began.notify_one();
            self.go_on.notified().await;
            Ok(())
        }
    }

    /// Makes a queue known, and then may fail.
    struct Name(&'static str, bool);

    #[async_trait]
    impl Operation for Name {
        type Answer = ();
        async fn run(&mut self, work: &mut Work<'_>) -> Result<(), BrokerError> {
            work.queue(&QueueName::new(self.0)?).await?;
            if self.1 { Err(BrokerError::Corrupt("on purpose".into())) } else { Ok(()) }
        }
    }

    /// Runs a statement and reads its first number, if it answers one.
    struct Sql(&'static str);

    #[async_trait]
    impl Operation for Sql {
        type Answer = Option<i64>;
        async fn run(&mut self, work: &mut Work<'_>) -> Result<Option<i64>, BrokerError> {
            let row = sqlx::query(self.0).fetch_optional(&mut *work.conn).await?;
            Ok(row.map(|row| row.try_get(0)).transpose()?)
        }
    }

    fn hand_in<O: Operation>(writer: &Writer, operation: O) -> tokio::task::JoinHandle<Result<O::Answer, BrokerError>> {
        let writer = writer.clone();
        tokio::spawn(async move { writer.run(operation).await })
    }

    /// Hands operations in while the writer is busy, and returns when all of them wait.
    async fn while_busy<O: Operation>(writer: &Writer, operations: Vec<O>) -> Vec<Result<O::Answer, BrokerError>> {
        let (began, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let busy = hand_in(writer, Hold { began: Arc::clone(&began), go_on: Arc::clone(&go_on) });
        began.notified().await;
        let n = operations.len();
        let handed: Vec<_> = operations.into_iter().map(|operation| hand_in(writer, operation)).collect();
        while writer.commands.max_capacity() - writer.commands.capacity() < n {
            tokio::task::yield_now().await;
        }
        go_on.notify_one();
        busy.await.unwrap().unwrap();
        let mut answers = Vec::new();
        for handed in handed {
            answers.push(handed.await.unwrap());
        }
        answers
    }

    #[tokio::test]
    async fn one_that_fails_takes_nothing_of_its_neighbours_with_it() {
        let writer = writer().await;
        let answers = while_busy(&writer, vec![Name("a", false), Name("b", true), Name("c", false)]).await;
        assert!(matches!(&answers[..], [Ok(()), Err(BrokerError::Corrupt(_)), Ok(())]), "{answers:?}");
        let count = |sql| writer.run(Sql(sql));
        assert_eq!(count("SELECT count(*) FROM queues WHERE name IN ('a', 'c')").await.unwrap(), Some(2));
        assert_eq!(count("SELECT count(*) FROM queues").await.unwrap(), Some(2), "nothing of the one that failed");
        // Its queue is no longer taken for known.
        writer.run(Name("b", false)).await.unwrap();
        assert_eq!(count("SELECT count(*) FROM queues").await.unwrap(), Some(3));
    }

    #[tokio::test]
    async fn a_full_disk_is_told_as_unavailable_and_passes() {
        let writer = writer().await;
        let pages = writer.run(Sql("PRAGMA max_page_count = 1")).await.unwrap();
        assert!(pages.is_some_and(|pages| pages > 1), "it is held at the present size");
        let big = "INSERT INTO reservations (scope, key, digest, job, until)
             VALUES ('', '', zeroblob(100000), x'00', 0)";
        assert!(matches!(writer.run(Sql(big)).await, Err(BrokerError::Unavailable(_))));
        let answers = while_busy(&writer, vec![Sql("SELECT 1"), Sql(big), Sql("SELECT 2")]).await;
        assert!(matches!(answers[1], Err(BrokerError::Unavailable(_))), "{answers:?}");
        // The neighbours were done, or told that they were not; never that the file is corrupt.
        assert!(answers.iter().all(|answer| !matches!(answer, Err(BrokerError::Corrupt(_) | BrokerError::Invalid(_)))));
        writer.run(Sql("PRAGMA max_page_count = 1000000")).await.unwrap();
        writer.run(Sql(big)).await.unwrap();
        assert_eq!(writer.run(Sql("SELECT count(*) FROM reservations")).await.unwrap(), Some(1));
    }

    #[tokio::test]
    async fn what_was_handed_in_is_done_before_the_file_is_closed() {
        let writer = writer().await;
        let handed = hand_in(&writer, Name("a", false));
        tokio::task::yield_now().await;
        writer.close().await;
        let done = tokio::time::timeout(Duration::from_secs(10), handed).await.unwrap().unwrap();
        assert!(done.is_ok(), "{done:?}");
        assert!(matches!(writer.run(Name("b", false)).await, Err(BrokerError::Unavailable(_))));
    }
}
