//! Whether this machine's clock can be believed: it is held against the queue's, by which jobs are due.
//!
//! A leader whose clock is a day ahead would decide on a day that has not come, and what it has decided nobody decides again.
//! One that is far behind would fire late what others fired. Neither fires. A queue that is away says nothing against a clock.
//!
//! It is told in the log, and not as an incident: whose clock is wrong must not write down when something happened. That
//! nobody fires the platform's watch finds.

use std::time::Duration;

use jiff::Timestamp;
use queue::Broker;
use tracing::{error, info};

/// How far apart two clocks may be: what Kerberos allows them.
pub const MOST: Duration = Duration::from_secs(300);

/// What was found of the clock last.
#[derive(Debug, Default)]
pub struct Skew {
    is_large: bool,
}

impl Skew {
    /// Whether `now` can be believed.
    ///
    /// # Errors
    /// It cannot: what the queue's clock says.
    pub async fn check(&mut self, broker: &dyn Broker, now: Timestamp) -> Result<(), Timestamp> {
        let Ok(theirs) = broker.now().await else { return Ok(()) };
        let is_large = now.duration_since(theirs).unsigned_abs() > MOST;
        if is_large != self.is_large {
            self.is_large = is_large;
            match is_large {
                true => {
                    error!(%now, queue = %theirs, "this machine's clock is wrong, or the queue's: nothing is fired from here")
                }
                false => info!(%now, "this machine's clock and the queue's agree again"),
            }
        }
        if is_large { Err(theirs) } else { Ok(()) }
    }
}
