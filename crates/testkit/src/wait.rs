//! Waiting for something to be so, instead of for a while.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How often a condition is asked: short against anything a test waits for, long against what asking costs.
const INTERVAL: Duration = Duration::from_millis(10);

/// Asks `condition` until it holds.
///
/// # Panics
/// With `what`, when it does not hold within `timeout`.
#[track_caller]
pub fn wait_until(what: &str, timeout: Duration, mut condition: impl AsyncFnMut() -> bool) -> impl Future<Output = ()> {
    wait_for(what, timeout, async move || condition().await.then_some(()))
}

/// Asks `attempt` until it gives a value, and returns that.
///
/// # Panics
/// With `what`, when there is none within `timeout`.
#[track_caller]
pub fn wait_for<T>(
    what: &str,
    timeout: Duration,
    mut attempt: impl AsyncFnMut() -> Option<T>,
) -> impl Future<Output = T> {
    // The caller's line, not this one, is where a reader of the failure wants to go.
    let caller = std::panic::Location::caller();
    let what = what.to_owned();
    async move {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(value) = attempt().await {
                return value;
            }
            assert!(Instant::now() < deadline, "after {timeout:?} still not: {what} (asked at {caller})");
            sleep(INTERVAL).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{wait_for, wait_until};

    #[tokio::test]
    async fn it_returns_as_soon_as_the_condition_holds() {
        let mut asked = 0;
        let value = wait_for("the third answer", Duration::from_secs(5), async || {
            asked += 1;
            (asked == 3).then_some("yes")
        })
        .await;
        assert_eq!(value, "yes");
    }

    #[tokio::test]
    #[should_panic(expected = "still not: pigs fly")]
    async fn it_fails_with_what_it_waited_for() {
        wait_until("pigs fly", Duration::from_millis(30), async || false).await;
    }
}
