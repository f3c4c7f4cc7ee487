//! Calls that wait together become one statement, with one commit for all.
//!
//! 1. A caller leaves its request and waits. Whoever finds nobody serving starts a task that does.
//! 2. The task takes what waits, up to [`LARGEST`], runs it as one statement and answers each caller; then it looks
//!    again, and ends when nothing waits.
//! 3. A lone caller is served at once. Where many wait, statements keep a distance ([`PACE`]): a quick database would
//!    otherwise be asked for a few rows at a time, and most of its work would be per statement.
//! 4. A statement that the database refuses is run once more for each request alone, so that one bad value fails one
//!    caller. A database that is away fails all of them, as transient.
//!
//! A caller that goes away leaves its request behind: it happens or not, as with any call whose answer is lost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use crate::error::StoreError;

/// Requests in one statement.
const LARGEST: usize = 256;
/// A statement for so many says that the line is busy.
const BUSY: usize = 8;
/// How far apart the beginnings of statements are on a busy line.
const PACE: Duration = Duration::from_millis(4);

type Reply<A> = oneshot::Sender<Result<A, StoreError>>;

/// Requests of one kind on their way to the database.
pub struct Batch<Q, A> {
    line: Mutex<Line<Q, A>>,
}

struct Line<Q, A> {
    waiting: Vec<(Q, Reply<A>)>,
    served: bool,
}

impl<Q, A> Default for Batch<Q, A> {
    fn default() -> Self {
        Self { line: Mutex::new(Line { waiting: Vec::new(), served: false }) }
    }
}

impl<Q, A> Batch<Q, A>
where
    Q: Clone + Send + Sync + 'static,
    A: Send + 'static,
{
    /// Leaves `request` and waits for its answer. `run` turns requests into as many answers, in their order.
    ///
    /// # Errors
    /// What the database says to the statement, or to this request alone.
    pub async fn ask<R, F>(self: &Arc<Self>, request: Q, run: R) -> Result<A, StoreError>
    where
        R: Fn(Vec<Q>) -> F + Send + 'static,
        F: Future<Output = Result<Vec<A>, StoreError>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let begins = {
            let mut line = self.line();
            line.waiting.push((request, reply));
            !std::mem::replace(&mut line.served, true)
        };
        if begins {
            let service = Service { batch: Arc::clone(self), ended: false };
            tokio::spawn(service.serve(run));
        }
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    fn next(&self) -> Vec<(Q, Reply<A>)> {
        let mut line = self.line();
        let some = line.waiting.len().min(LARGEST);
        let next: Vec<_> = line.waiting.drain(..some).collect();
        line.served = !next.is_empty();
        next
    }
}

impl<Q, A> Batch<Q, A> {
    fn line(&self) -> MutexGuard<'_, Line<Q, A>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever serves. If it is torn away, those who wait are told, and the next caller starts another.
struct Service<Q, A> {
    batch: Arc<Batch<Q, A>>,
    ended: bool,
}

impl<Q, A> Service<Q, A>
where
    Q: Clone + Send + Sync + 'static,
    A: Send + 'static,
{
    async fn serve<R, F>(mut self, run: R)
    where
        R: Fn(Vec<Q>) -> F + Send + 'static,
        F: Future<Output = Result<Vec<A>, StoreError>> + Send + 'static,
    {
        let mut not_before = None;
        loop {
            // Callers that are ready to ask get a chance to be part of it.
            match not_before.take() {
                Some(then) => sleep_until(then).await,
                None => tokio::task::yield_now().await,
            }
            let next = self.batch.next();
            if next.is_empty() {
                self.ended = true;
                return;
            }
            if (BUSY..LARGEST).contains(&next.len()) {
                not_before = Some(Instant::now() + PACE);
            }
            let (requests, replies): (Vec<Q>, Vec<Reply<A>>) = next.into_iter().unzip();
            match run(requests.clone()).await {
                Ok(answers) => {
                    replies.into_iter().zip(answers).for_each(|(reply, answer)| drop(reply.send(Ok(answer))))
                }
                Err(error) if error.is_transient() || requests.len() == 1 => {
                    replies.into_iter().for_each(|reply| drop(reply.send(Err(error.clone()))));
                }
                Err(_) => {
                    for (request, reply) in requests.into_iter().zip(replies) {
                        let alone = run(vec![request]).await.and_then(|answers| {
                            answers.into_iter().next().ok_or_else(|| StoreError::Corrupt("no answer".to_owned()))
                        });
                        // A caller that has gone away needs no answer.
                        let _ = reply.send(alone);
                    }
                }
            }
        }
    }
}

impl<Q, A> Drop for Service<Q, A> {
    fn drop(&mut self) {
        if !self.ended {
            let mut line = self.batch.line();
            line.served = false;
            line.waiting.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn those_who_wait_together_are_one_statement_and_each_gets_its_own_answer() {
        let batch: Arc<Batch<usize, usize>> = Arc::default();
        let statements = Arc::new(AtomicUsize::new(0));
        let asked = (0..1000).map(|n| {
            let (batch, statements) = (Arc::clone(&batch), Arc::clone(&statements));
            tokio::spawn(async move {
                let run = move |requests: Vec<usize>| {
                    statements.fetch_add(1, Ordering::Relaxed);
                    async move { Ok(requests.into_iter().map(|n| n * 2).collect()) }
                };
                assert_eq!(batch.ask(n, run).await.unwrap(), n * 2);
            })
        });
        for one in asked.collect::<Vec<_>>() {
            one.await.unwrap();
        }
        let statements = statements.load(Ordering::Relaxed);
        assert!((4..200).contains(&statements), "1,000 requests took {statements} statements");
        // Nobody serves an empty line for long.
        while batch.line().served {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_busy_lines_statements_keep_a_distance() {
        let batch: Arc<Batch<usize, usize>> = Arc::default();
        let statements: Arc<Mutex<Vec<(Instant, usize)>>> = Arc::default();
        let ask = |n: usize| {
            let (batch, statements) = (Arc::clone(&batch), Arc::clone(&statements));
            let run = move |requests: Vec<usize>| {
                statements.lock().unwrap().push((Instant::now(), requests.len()));
                async move { Ok(requests) }
            };
            tokio::spawn(async move { batch.ask(n, run).await.unwrap() })
        };
        for _ in 0..3 {
            for one in (0..BUSY).map(&ask).collect::<Vec<_>>() {
                one.await.unwrap();
            }
        }
        let statements = statements.lock().unwrap();
        assert_eq!(statements.iter().map(|(_, size)| *size).collect::<Vec<_>>(), [BUSY; 3], "a crowd is one statement");
        assert!(statements.windows(2).all(|two| two[1].0 - two[0].0 > PACE / 2));
    }

    #[tokio::test]
    async fn a_bad_request_fails_alone() {
        let batch: Arc<Batch<usize, usize>> = Arc::default();
        let run = |requests: Vec<usize>| async move {
            match requests.contains(&7) {
                true => Err(StoreError::Unstorable("7".to_owned())),
                false => Ok(requests),
            }
        };
        let asked = (0..20).map(|n| {
            let batch = Arc::clone(&batch);
            tokio::spawn(async move { (n, batch.ask(n, run).await.is_ok()) })
        });
        for one in asked.collect::<Vec<_>>() {
            let (n, well) = one.await.unwrap();
            assert_eq!(well, n != 7, "{n}");
        }
    }

    #[tokio::test]
    async fn a_server_that_is_torn_away_fails_those_who_wait_and_is_replaced() {
        let batch: Arc<Batch<usize, usize>> = Arc::default();
        let fails = |_: Vec<usize>| async { panic!("torn away") };
        assert!(batch.ask(1, fails).await.is_err_and(|error| error.is_transient()));
        assert_eq!(batch.ask(2, |requests| async { Ok(requests) }).await.unwrap(), 2);
    }
}
