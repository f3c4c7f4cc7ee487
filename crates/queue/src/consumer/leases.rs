//! The leases that this process holds, for those who renew them and those who cancel.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use job::{Control, JobId};

use crate::lease::Lease;

/// The leases of one queue: the token and the handle of each job.
type Held = HashMap<JobId, (u64, Arc<Control>)>;

/// All leases, by queue. A lease is held from the exchange that brought it to the one that wrote its end.
#[derive(Debug)]
pub(super) struct Leases {
    shares: Vec<Mutex<Held>>,
    count: AtomicUsize,
}

impl Leases {
    pub(super) fn new(shares: usize) -> Self {
        Self { shares: (0..shares).map(|_| Mutex::default()).collect(), count: AtomicUsize::new(0) }
    }

    fn share(&self, share: usize) -> MutexGuard<'_, Held> {
        self.shares[share].lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn add(&self, share: usize, leases: impl IntoIterator<Item = (Lease, Arc<Control>)>) {
        let mut added = 0;
        {
            let mut held = self.share(share);
            for (lease, control) in leases {
                match held.insert(lease.id, (lease.token, control)) {
                    None => added += 1,
                    // This process held the job, lost it without noticing, and was given it anew.
                    Some((_, old)) => old.lose(),
                }
            }
        }
        self.count.fetch_add(added, Ordering::AcqRel);
    }

    /// Forgets leases. One that was taken anew meanwhile, under another token, stays.
    pub(super) fn remove(&self, share: usize, leases: impl IntoIterator<Item = Lease>) {
        let mut removed = 0;
        {
            let mut held = self.share(share);
            for lease in leases {
                if held.get(&lease.id).is_some_and(|(token, _)| *token == lease.token) {
                    held.remove(&lease.id);
                    removed += 1;
                }
            }
        }
        self.count.fetch_sub(removed, Ordering::AcqRel);
    }

    pub(super) fn all(&self, share: usize) -> Vec<Lease> {
        self.share(share).iter().map(|(id, (token, _))| Lease { id: *id, token: *token }).collect()
    }

    /// The handle of a job, whatever its lease.
    pub(super) fn control_of(&self, share: usize, id: JobId) -> Option<Arc<Control>> {
        self.share(share).get(&id).map(|(_, control)| Arc::clone(control))
    }

    /// The handle of a job under this very lease.
    pub(super) fn control(&self, share: usize, lease: Lease) -> Option<Arc<Control>> {
        let held = self.share(share);
        held.get(&lease.id).filter(|(token, _)| *token == lease.token).map(|(_, control)| Arc::clone(control))
    }

    pub(super) fn for_each(&self, act: impl Fn(&Control)) {
        for share in 0..self.shares.len() {
            self.share(share).values().for_each(|(_, control)| act(control));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }
}
