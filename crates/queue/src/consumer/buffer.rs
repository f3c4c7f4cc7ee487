//! Jobs that are leased and have not begun: from the pump to the runner's loops.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use super::Held;

/// The buffer. Its size is bounded by what the pump leases.
#[derive(Debug, Default)]
pub struct Buffer {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Held>,
    waiting: Vec<Waker>,
}

impl Buffer {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Adds jobs and wakes the loops that wait.
    pub(super) fn push(&self, jobs: impl IntoIterator<Item = Held>) {
        let waiting = {
            let mut state = self.state();
            state.jobs.extend(jobs);
            std::mem::take(&mut state.waiting)
        };
        for waker in waiting {
            waker.wake();
        }
    }

    /// The next job, or wakes `cx` when there is one.
    pub fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Held> {
        let mut state = self.state();
        match state.jobs.pop_front() {
            Some(held) => Poll::Ready(held),
            None => {
                if !state.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                    state.waiting.push(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }

    /// Takes all that has not begun.
    pub(super) fn drain(&self) -> Vec<Held> {
        self.state().jobs.drain(..).collect()
    }
}
