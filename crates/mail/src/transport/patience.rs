//! Two time limits for one call into lettre: until something was written, and from then on.
//!
//! lettre reads the greeting and says EHLO in one call, and writes a message and waits for the answer in another. The
//! meter tells when the first half is over. Writing a message is limited as RFC 5321 §4.5.3.2.5 has it, block by block: a
//! large one over a slow line takes long and still gets on.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::wire::Meter;

/// Runs `work`: `before` from each write to the next until `turned` says yes, `after` from that moment. `None` if either
/// was not enough.
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
                second_half = turned(meter);
                deadline = Instant::now() + if second_half { after } else { before };
            }
            () = sleep_until(deadline) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    /// Writes four blocks with `pause` before each, then the dot, and answers after a while.
    async fn written(pause: Duration) -> Option<()> {
        let meter = Meter::default();
        let work = async {
            for _ in 0..4 {
                sleep(pause).await;
                meter.wrote(b"a block");
            }
            meter.wrote(b"\r\n.\r\n");
            sleep(Duration::from_millis(10)).await;
        };
        in_two_halves(&meter, Duration::from_secs(2), Duration::from_secs(60), Meter::dot_written, work).await
    }

    #[tokio::test]
    async fn a_line_that_gets_on_is_waited_for_and_one_that_stands_still_is_not() {
        assert_eq!(written(Duration::from_millis(700)).await, Some(()), "2.8 s in all");
        assert_eq!(written(Duration::from_secs(3600)).await, None);
    }
}
