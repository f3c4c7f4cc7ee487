//! Two time limits for one call into lettre: until something was written, and from then on.
//!
//! lettre reads the greeting and says EHLO in one call, and writes a message and waits for the answer in another. The
//! meter tells when the first half is over.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::wire::Meter;

/// Runs `work`: `before` until `turned` says yes, `after` from that moment. `None` if either was not enough.
pub(super) async fn in_two_halves<T>(
    meter: &Meter,
    before: Duration,
    after: Duration,
    turned: impl Fn(&Meter) -> bool,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = pin!(work);
    let mut deadline = Instant::now() + before;
    let mut second_half = false;
    loop {
        tokio::select! {
            biased;
            done = &mut work => return Some(done),
            () = meter.progress(), if !second_half => {
                if turned(meter) {
                    second_half = true;
                    deadline = Instant::now() + after;
                }
            }
            () = sleep_until(deadline) => return None,
        }
    }
}
