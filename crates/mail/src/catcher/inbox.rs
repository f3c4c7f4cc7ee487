//! The caught mails: a ring, bounded by number and by octets, and a bell.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::mail::CaughtMail;

/// A handle to the caught mails; clones see the same.
#[derive(Clone)]
pub struct Inbox {
    shared: Arc<Shared>,
}

struct Shared {
    ring: Mutex<Ring>,
    received: watch::Sender<u64>,
    max_mails: usize,
    max_bytes: usize,
}

/// Newest in front.
#[derive(Default)]
struct Ring {
    mails: VecDeque<Arc<CaughtMail>>,
    bytes: usize,
    last_id: u64,
}

impl Inbox {
    pub(super) fn new(max_mails: usize, max_bytes: usize) -> Self {
        let shared = Shared { ring: Mutex::default(), received: watch::Sender::new(0), max_mails, max_bytes };
        Self { shared: Arc::new(shared) }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.shared.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the mail its id, keeps it, lets the oldest go, rings the bell.
    pub(super) fn put(&self, mut mail: CaughtMail) -> u64 {
        let id = {
            let mut ring = self.ring();
            ring.last_id += 1;
            mail.id = ring.last_id.to_string();
            ring.bytes += mail.raw.len();
            ring.mails.push_front(Arc::new(mail));
            while ring.mails.len() > self.shared.max_mails || ring.bytes > self.shared.max_bytes {
                let Some(oldest) = ring.mails.pop_back() else {
                    break;
                };
                ring.bytes -= oldest.raw.len();
            }
            ring.last_id
        };
        self.shared.received.send_modify(|count| *count += 1);
        id
    }

    /// Counts a mail that is not kept.
    pub(super) fn count(&self) {
        self.shared.received.send_modify(|count| *count += 1);
    }

    /// All mails that are kept, newest first.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<CaughtMail>> {
        self.ring().mails.iter().cloned().collect()
    }

    /// One mail.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Arc<CaughtMail>> {
        self.ring().mails.iter().find(|mail| mail.id == id).cloned()
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ring().mails.len()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Throws all away. [`received`](Self::received) goes on counting.
    pub fn clear(&self) {
        let mut ring = self.ring();
        ring.mails.clear();
        ring.bytes = 0;
    }

    /// How many have come in since the start, those that are gone included.
    #[must_use]
    pub fn received(&self) -> u64 {
        *self.shared.received.borrow()
    }

    /// Changes whenever a mail comes in.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.shared.received.subscribe()
    }

    /// Returns as soon as [`received`](Self::received) is at least `count`.
    pub async fn wait_for(&self, count: u64) {
        let mut bell = self.subscribe();
        // The sender lives in this handle, so the bell cannot be closed.
        let _ = bell.wait_for(|received| *received >= count).await;
    }
}
