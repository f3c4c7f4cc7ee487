//! The keys that were seen lately, so that a call costs no query.
//!
//! 1. What the store said of a key, known or unknown, counts for 5 s at most: a revoked key works no longer than that.
//! 2. After four fifths of that the next call asks the store again while the others go on with what is cached, so that a busy key never
//!    sends a crowd to the store.
//! 3. Both halves are bounded. Unknown keys have a half of their own: guessing does not push out those that work.
//! 4. If the store is away, a key that is still fresh works; one that is not is answered 503, never 401.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use store::{ApiKey, Scope};
use tokio::time::Instant;
use uuid::Uuid;

use crate::error::ApiError;
use crate::limits::{Limiter, Rate};
use crate::state::State;

/// The key that exists in `postrider dev` only.
const DEV_KEY: &str = "dev";
/// How many keys each half holds.
const HELD: usize = 10_000;
/// No key is longer: nothing longer is hashed or looked up.
const LONGEST: usize = 200;
/// How often "last used" is written down, a key.
const TOUCH: Duration = Duration::from_secs(60);

/// A key that exists, with its bucket.
#[derive(Debug, Clone)]
pub struct KnownKey(Arc<Known>);

#[derive(Debug)]
struct Known {
    key: Option<ApiKey>,
    limiter: Arc<Limiter>,
}

impl KnownKey {
    /// The key's id; the nil UUID for the key `dev`.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.0.key.as_ref().map_or(Uuid::nil(), |key| key.id)
    }

    /// The name that the key was given.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.key.as_ref().map_or(DEV_KEY, |key| key.name.as_str())
    }

    /// Whether the key allows `scope`. The key `dev` allows all.
    #[must_use]
    pub fn allows(&self, scope: Scope) -> bool {
        self.0.key.as_ref().is_none_or(|key| key.allows(scope))
    }

    /// Takes one call out of the key's bucket.
    pub fn take_call(&self) -> Result<(), ApiError> {
        self.0.limiter.take()
    }
}

type Digest = [u8; 32];

/// The cache.
#[derive(Debug)]
pub struct Keys {
    rate: Rate,
    fresh_for: Duration,
    dev: Option<KnownKey>,
    known: RwLock<HashMap<Digest, Arc<Entry>>>,
    unknown: RwLock<HashMap<Digest, Instant>>,
}

#[derive(Debug)]
struct Entry {
    key: KnownKey,
    asked: Instant,
    touched: Instant,
    asking: AtomicBool,
}

impl Keys {
    /// An empty cache. `rate` is for keys without one of their own; what the store said counts for `fresh_for`; `dev` adds
    /// the key `dev`.
    #[must_use]
    pub fn new(rate: Rate, fresh_for: Duration, dev: bool) -> Self {
        let dev = dev.then(|| KnownKey(Arc::new(Known { key: None, limiter: Arc::new(Limiter::new(rate)) })));
        Self { rate, fresh_for, dev, known: RwLock::default(), unknown: RwLock::default() }
    }

    /// The key that was presented; `None` if there is no such key. Errors: 503 if the store is away.
    pub async fn find(&self, presented: &str, state: &State) -> Result<Option<KnownKey>, ApiError> {
        if presented == DEV_KEY {
            return Ok(self.dev.clone());
        }
        if presented.is_empty() || presented.len() > LONGEST {
            return Ok(None);
        }
        let digest = sha256(presented);
        let now = Instant::now();
        let entry = read(&self.known).get(&digest).cloned();
        if let Some(entry) = &entry {
            let age = now - entry.asked;
            if age < self.fresh_for * 4 / 5 || (age < self.fresh_for && entry.asking.swap(true, Ordering::Relaxed)) {
                return Ok(Some(entry.key.clone()));
            }
        } else if read(&self.unknown).get(&digest).is_some_and(|asked| now - *asked < self.fresh_for) {
            return Ok(None);
        }
        match state.store.find_api_key(presented).await {
            Ok(Some(key)) => Ok(Some(self.remember(digest, key, entry.as_deref(), now, state))),
            Ok(None) => {
                write(&self.known).remove(&digest);
                let mut unknown = write(&self.unknown);
                if unknown.len() >= HELD {
                    unknown.clear();
                }
                unknown.insert(digest, now);
                Ok(None)
            }
            Err(error) => match entry {
                Some(entry) if now - entry.asked < self.fresh_for => {
                    entry.asking.store(false, Ordering::Relaxed);
                    Ok(Some(entry.key.clone()))
                }
                _ => Err(error.into()),
            },
        }
    }

    fn remember(&self, digest: Digest, key: ApiKey, before: Option<&Entry>, now: Instant, state: &State) -> KnownKey {
        let rate = key.rate_per_second.map_or(self.rate, Rate::of_key);
        // The bucket goes on: a refresh must not fill it.
        let limiter = before
            .map(|entry| &entry.key.0.limiter)
            .filter(|limiter| limiter.rate() == rate)
            .map_or_else(|| Arc::new(Limiter::new(rate)), Arc::clone);
        let touched = before.map(|entry| entry.touched).filter(|touched| now - *touched < TOUCH);
        if touched.is_none() {
            note_use(key.id, state);
        }
        let key = KnownKey(Arc::new(Known { key: Some(key), limiter }));
        let mut known = write(&self.known);
        if known.len() >= HELD {
            known.retain(|_, entry| now - entry.asked < self.fresh_for);
        }
        if known.len() < HELD {
            let touched = touched.unwrap_or(now);
            let entry = Entry { key: key.clone(), asked: now, touched, asking: AtomicBool::new(false) };
            known.insert(digest, Arc::new(entry));
        }
        key
    }
}

/// Writes down that the key is in use. Not worth a caller's time, nor an error.
fn note_use(id: Uuid, state: &State) {
    let state = state.clone();
    tokio::spawn(async move {
        if let Err(error) = state.store.touch_api_key(id, state.clock.now()).await {
            tracing::debug!(%error, "the last use of a key was not written down");
        }
    });
}

fn sha256(text: &str) -> Digest {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    out
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
