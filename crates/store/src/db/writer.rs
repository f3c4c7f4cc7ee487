//! The one task that writes to SQLite.
//!
//! 1. Every write is a request to this task: a single statement, or the steps of a transaction.
//! 2. The task opens one transaction (`BEGIN IMMEDIATE`), runs the requests that are waiting, each transaction inside a
//!    savepoint of its own, and commits when nothing more waits: one fsync for all of them (group commit).
//! 3. A caller hears of success only after that commit. A failed or abandoned request is undone alone; a failing disk or
//!    a failing commit fails all of its batch, as transient.
//!
//! The connection never leaves this task, so a caller that is dropped or not polled in the middle of its transaction
//! delays the others by `STEP_PATIENCE` at most.

use std::time::Duration;

use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, Executor, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::session::SqliteQuery;
use crate::error::StoreError;
use crate::migrations;

/// Requests that wait before callers wait to ask.
const QUEUE: usize = 1024;
/// Requests in one commit: bounds how long the first of them waits.
const BATCH: usize = 256;
/// How long a transaction may leave the writer idle between two of its steps before it is rolled back. Other processes wait
/// longer than that for the file.
const STEP_PATIENCE: Duration = Duration::from_secs(4);

/// A request of several statements can be undone without harm to the others of its batch.
const SAVEPOINT: &str = "SAVEPOINT request";
const RELEASE: &str = "RELEASE request";
const UNDO: &str = "ROLLBACK TO request; RELEASE request";

/// What a statement should answer with.
#[derive(Clone, Copy)]
pub(super) enum Want {
    Count,
    /// The count of several statements, which happen together or not at all.
    CountTogether,
    Rows,
    /// The rows of several statements, which happen together or not at all.
    RowsTogether,
}

/// What a statement answered.
pub(super) enum Answer {
    Count(u64),
    Rows(Vec<SqliteRow>),
}

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

enum Request {
    One(SqliteQuery, Want, Reply<Answer>),
    Transaction(mpsc::Receiver<Step>),
    Migrate(Reply<Vec<i64>>),
    Close(oneshot::Sender<()>),
}

enum Step {
    Ask(SqliteQuery, Want, Reply<Answer>),
    Commit(Reply<()>),
}

/// A request that succeeded and waits for the commit of its batch.
enum Waiting {
    One(Answer, Reply<Answer>),
    Transaction(Reply<()>),
}

/// The way to the writing task.
pub(super) struct Writer {
    requests: mpsc::Sender<Request>,
}

/// A caller's turn at the writer: one statement, or a transaction.
pub(crate) struct Turn(Way);

enum Way {
    One(mpsc::Sender<Request>),
    Transaction(mpsc::Sender<Step>),
}

impl Writer {
    /// Starts the task on `connection`. It ends with the last sender, or with [`Writer::close`].
    pub(super) fn start(connection: SqliteConnection) -> Self {
        let (requests, queue) = mpsc::channel(QUEUE);
        tokio::spawn(serve(connection, queue));
        Self { requests }
    }

    pub(super) fn one(&self) -> Turn {
        Turn(Way::One(self.requests.clone()))
    }

    pub(super) async fn transaction(&self) -> Result<Turn, StoreError> {
        let (steps, receiver) = mpsc::channel(1);
        self.requests.send(Request::Transaction(receiver)).await.map_err(|_| StoreError::Closed)?;
        Ok(Turn(Way::Transaction(steps)))
    }

    pub(super) async fn migrate(&self) -> Result<Vec<i64>, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request::Migrate(reply)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    pub(super) async fn close(&self) {
        let (reply, done) = oneshot::channel();
        if self.requests.send(Request::Close(reply)).await.is_ok() {
            // An error means that the task is gone already, which is what was asked for.
            let _ = done.await;
        }
    }
}

impl Turn {
    /// Runs a statement. A single one is durable when this returns; within a transaction, after [`Turn::commit`].
    pub(super) async fn ask(&mut self, query: SqliteQuery, want: Want) -> Result<Answer, StoreError> {
        let (reply, answer) = oneshot::channel();
        let sent = match &self.0 {
            Way::One(requests) => requests.send(Request::One(query, want, reply)).await.is_ok(),
            Way::Transaction(steps) => steps.send(Step::Ask(query, want, reply)).await.is_ok(),
        };
        if sent { answer.await.unwrap_or(Err(self.gone())) } else { Err(self.gone()) }
    }

    pub(super) async fn commit(self) -> Result<(), StoreError> {
        let Way::Transaction(steps) = &self.0 else { return Ok(()) };
        let (reply, done) = oneshot::channel();
        if steps.send(Step::Commit(reply)).await.is_err() {
            return Err(self.gone());
        }
        done.await.unwrap_or(Err(self.gone()))
    }

    /// Why the task does not answer: it ended, or it gave this transaction up.
    fn gone(&self) -> StoreError {
        match self.0 {
            Way::One(_) => StoreError::Closed,
            Way::Transaction(_) => StoreError::TimedOut(STEP_PATIENCE),
        }
    }
}

/// Serves requests until nobody can ask any more.
async fn serve(mut connection: SqliteConnection, mut queue: mpsc::Receiver<Request>) {
    let mut left_over = None;
    loop {
        let request = match left_over.take() {
            Some(request) => request,
            None => match queue.recv().await {
                Some(request) => request,
                None => break,
            },
        };
        match request {
            Request::Close(done) => {
                queue.close();
                close(connection).await;
                let _ = done.send(());
                return;
            }
            Request::Migrate(reply) => {
                let _ = reply.send(migrations::apply_to_sqlite(&mut connection).await);
            }
            work => left_over = batch(&mut connection, work, &mut queue).await,
        }
    }
    close(connection).await;
}

async fn close(connection: SqliteConnection) {
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "the store's file was not closed cleanly");
    }
}

/// Runs `first` and what waits behind it in one commit. Answers a request that cannot be part of a batch.
async fn batch(
    connection: &mut SqliteConnection,
    first: Request,
    queue: &mut mpsc::Receiver<Request>,
) -> Option<Request> {
    if let Err(error) = connection.execute("BEGIN IMMEDIATE").await {
        refuse(first, &error.into());
        return None;
    }
    let mut waiting = Vec::new();
    let mut left_over = None;
    let mut next = Some(first);
    while let Some(request) = next.take() {
        let done = match request {
            Request::One(query, want, reply) => one(connection, query, want, reply, &mut waiting).await,
            Request::Transaction(steps) => transaction(connection, steps, &mut waiting).await,
            other => {
                left_over = Some(other);
                break;
            }
        };
        if let Err(error) = done {
            // SQLite may have rolled the transaction back by itself; whatever is left of it is undone here.
            let _ = connection.execute("ROLLBACK").await;
            waiting.drain(..).for_each(|request| request.answer(Err(error.clone())));
            return None;
        }
        if waiting.len() < BATCH {
            next = waiting_request(queue).await;
        }
    }
    let committed = match connection.execute("COMMIT").await {
        Ok(_) => Ok(()),
        Err(error) => {
            let _ = connection.execute("ROLLBACK").await;
            Err(StoreError::from(error))
        }
    };
    waiting.drain(..).for_each(|request| request.answer(committed.clone()));
    left_over
}

/// What is in the queue now, or right after the callers that are ready to run had a chance to ask.
async fn waiting_request(queue: &mut mpsc::Receiver<Request>) -> Option<Request> {
    if let Ok(request) = queue.try_recv() {
        return Some(request);
    }
    tokio::task::yield_now().await;
    queue.try_recv().ok()
}

/// A single statement, which SQLite undoes by itself if it fails, or several in a savepoint. An error here fails the
/// batch.
async fn one(
    connection: &mut SqliteConnection,
    query: SqliteQuery,
    want: Want,
    reply: Reply<Answer>,
    waiting: &mut Vec<Waiting>,
) -> Result<(), StoreError> {
    let together = matches!(want, Want::CountTogether | Want::RowsTogether);
    if together {
        connection.execute(SAVEPOINT).await?;
    }
    let answer = run(connection, query, want).await;
    if together {
        connection.execute(if answer.is_ok() { RELEASE } else { UNDO }).await?;
    }
    match answer {
        Ok(answer) => waiting.push(Waiting::One(answer, reply)),
        Err(error) => {
            let _ = reply.send(Err(error.clone()));
            if error.is_transient() {
                return Err(error);
            }
        }
    }
    Ok(())
}

/// The steps of a transaction, in a savepoint. An error here fails the batch.
async fn transaction(
    connection: &mut SqliteConnection,
    mut steps: mpsc::Receiver<Step>,
    waiting: &mut Vec<Waiting>,
) -> Result<(), StoreError> {
    connection.execute(SAVEPOINT).await?;
    loop {
        match tokio::time::timeout(STEP_PATIENCE, steps.recv()).await {
            Ok(Some(Step::Ask(query, want, reply))) => {
                let answer = run(connection, query, want).await;
                let fatal = answer.as_ref().err().filter(|error| error.is_transient()).cloned();
                let _ = reply.send(answer);
                if let Some(error) = fatal {
                    return Err(error);
                }
            }
            Ok(Some(Step::Commit(reply))) => {
                connection.execute(RELEASE).await?;
                waiting.push(Waiting::Transaction(reply));
                return Ok(());
            }
            Ok(None) | Err(_) => {
                connection.execute(UNDO).await?;
                return Ok(());
            }
        }
    }
}

async fn run(connection: &mut SqliteConnection, query: SqliteQuery, want: Want) -> Result<Answer, StoreError> {
    Ok(match want {
        Want::Count | Want::CountTogether => Answer::Count(query.execute(connection).await?.rows_affected()),
        Want::Rows | Want::RowsTogether => Answer::Rows(query.fetch_all(connection).await?),
    })
}

/// Answers a request that could not even begin.
fn refuse(request: Request, error: &StoreError) {
    match request {
        Request::One(_, _, reply) => drop(reply.send(Err(error.clone()))),
        Request::Migrate(reply) => drop(reply.send(Err(error.clone()))),
        // Its first step tells the caller: the channel is closed.
        Request::Transaction(_) | Request::Close(_) => {}
    }
}

impl Waiting {
    /// Tells the caller. One that has gone away meanwhile needs no answer.
    fn answer(self, committed: Result<(), StoreError>) {
        match self {
            Self::One(answer, reply) => drop(reply.send(committed.map(|()| answer))),
            Self::Transaction(reply) => drop(reply.send(committed)),
        }
    }
}
