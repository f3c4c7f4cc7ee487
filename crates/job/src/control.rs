//! The handle on a running attempt: how the outside asks it to stop, and how it asks to be left alone for a moment.
//!
//! - A *cancel* is cooperative first: the job may look at [`Control::is_cancel_requested`] or await
//!   [`Control::cancel_requested`]; after a short grace it is dropped where it stands.
//! - A *cut-off* comes from a shutdown that cannot wait any longer: the job is dropped and given back.
//! - A *lost lease* means that the job may run elsewhere already: it is dropped and its end is not reported.
//! - A *shield* holds all three (and the timeout) back while the job is between two writes that belong together, such
//!   as the first byte of a mail and the server's answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// How long a cancelled job has to stop by itself.
pub const CANCEL_GRACE: Duration = Duration::from_millis(500);

const CANCEL: u8 = 1;
const CUT_OFF: u8 = 2;
const LOST: u8 = 4;
const SHIELD: u8 = 8;

/// Why a job is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Somebody cancelled it.
    Cancelled,
    /// The worker shuts down.
    CutOff,
    /// The lease is lost.
    Lost,
}

impl Stop {
    /// The strongest reason among the flags: who lost the lease has no say any more, whatever else was asked.
    fn of(flags: u8) -> Option<Self> {
        match flags {
            f if f & LOST != 0 => Some(Self::Lost),
            f if f & CANCEL != 0 => Some(Self::Cancelled),
            f if f & CUT_OFF != 0 => Some(Self::CutOff),
            _ => None,
        }
    }
}

/// The handle; shared between the attempt and those who watch over it.
#[derive(Debug, Default)]
pub struct Control {
    flags: AtomicU8,
    changed: Notify,
}

impl Control {
    /// Asks the job to stop by itself, and soon makes it.
    pub fn cancel(&self) {
        self.raise(CANCEL);
    }

    /// Makes the job stop, to be given back.
    pub fn cut_off(&self) {
        self.raise(CUT_OFF);
    }

    /// Makes the job stop because it is no longer this worker's.
    pub fn lose(&self) {
        self.raise(LOST);
    }

    /// Whether a cancel was asked for.
    #[must_use]
    pub fn is_cancel_requested(&self) -> bool {
        self.flags.load(Ordering::Acquire) & CANCEL != 0
    }

    /// Whether the lease is known to be lost.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.flags.load(Ordering::Acquire) & LOST != 0
    }

    /// Why an attempt that has not begun must not begin, if it must not.
    #[must_use]
    pub fn forbids_start(&self) -> Option<Stop> {
        Stop::of(self.flags.load(Ordering::Acquire))
    }

    /// Whether the job asked to be left alone.
    #[must_use]
    pub fn is_shielded(&self) -> bool {
        self.flags.load(Ordering::Acquire) & SHIELD != 0
    }

    /// Completes when a cancel is asked for.
    pub async fn cancel_requested(&self) {
        self.until(|flags| flags & CANCEL != 0).await;
    }

    /// Holds every cancel, cut-off, lost lease and timeout back until the guard is dropped.
    #[must_use]
    pub fn shield(self: &Arc<Self>) -> Shield {
        self.raise(SHIELD);
        Shield(Arc::clone(self))
    }

    /// Completes when no shield is up.
    pub async fn unshielded(&self) {
        self.until(|flags| flags & SHIELD == 0).await;
    }

    /// Completes when the job must be dropped, and says why. A cancel has its grace by then; a shield is respected.
    pub async fn stopped(&self) -> Stop {
        let flags = self.until(|flags| flags & (CANCEL | CUT_OFF | LOST) != 0).await;
        if flags & (CUT_OFF | LOST) == 0 {
            let harder = self.until(|flags| flags & (CUT_OFF | LOST) != 0);
            let _ = tokio::time::timeout(CANCEL_GRACE, harder).await;
        }
        Stop::of(self.until(|flags| flags & SHIELD == 0).await).unwrap_or(Stop::CutOff)
    }

    fn raise(&self, flag: u8) {
        self.flags.fetch_or(flag, Ordering::AcqRel);
        self.changed.notify_waiters();
    }

    async fn until(&self, holds: impl Fn(u8) -> bool) -> u8 {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let flags = self.flags.load(Ordering::Acquire);
            if holds(flags) {
                return flags;
            }
            changed.await;
        }
    }
}

/// While this lives, the job is left alone.
#[derive(Debug)]
pub struct Shield(Arc<Control>);

impl Drop for Shield {
    fn drop(&mut self) {
        self.0.flags.fetch_and(!SHIELD, Ordering::AcqRel);
        self.0.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_cancelled_job_is_stopped_after_its_grace() {
        let control = Arc::new(Control::default());
        let began = tokio::time::Instant::now();
        control.cancel();
        assert_eq!(control.stopped().await, Stop::Cancelled);
        assert!(began.elapsed() >= CANCEL_GRACE);
    }

    #[test]
    fn an_attempt_that_was_called_off_before_it_began_does_not_begin() {
        let control = Control::default();
        assert_eq!(control.forbids_start(), None);
        control.cut_off();
        assert_eq!(control.forbids_start(), Some(Stop::CutOff));
        control.cancel();
        assert_eq!(control.forbids_start(), Some(Stop::Cancelled));
        control.lose();
        assert_eq!(control.forbids_start(), Some(Stop::Lost));
    }

    #[tokio::test]
    async fn a_cut_off_does_not_wait() {
        let control = Control::default();
        control.cut_off();
        assert_eq!(control.stopped().await, Stop::CutOff);
    }

    #[tokio::test]
    async fn a_shield_holds_a_lost_lease_back_until_the_work_is_done() {
        let control = Arc::new(Control::default());
        let shielded = Arc::clone(&control);
        let work = tokio::spawn(async move {
            let _shield = shielded.shield();
            tokio::time::sleep(Duration::from_millis(200)).await;
        });
        tokio::task::yield_now().await;
        let began = tokio::time::Instant::now();
        control.lose();
        assert_eq!(control.stopped().await, Stop::Lost);
        assert!(began.elapsed() >= Duration::from_millis(150), "{:?}", began.elapsed());
        work.await.unwrap();
    }
}
