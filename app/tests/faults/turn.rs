//! Who runs when: two cores bear one heavy scene at a time.

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

static MACHINE: RwLock<()> = RwLock::const_new(());

/// A scene that waits more than it works.
pub async fn beside_others() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().await
}

/// A scene that measures, or that keeps every core busy.
pub async fn alone() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().await
}
