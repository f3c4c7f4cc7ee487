//! `postrider dev --demo`: a day of a booking marketplace in a minute.
//!
//! 1. `clock`: the day runs 1,440 times as fast as the clock on the wall; after it time goes on at its usual pace. The
//!    queue, the API, the worker and the mail catcher all go by it.
//! 2. `story`: what happens on that day: lessons are booked, moved, cancelled and given.
//! 3. `play`: tells the platform of it, as the marketplace would, and has the reminders scanned, after the day as well.
//!
//! It lives in memory and in a folder of its own: times that lie ahead do not belong among real ones.

mod clock;
mod play;
mod story;

pub use clock::{DayClock, PACE};
pub use play::{go_on, play};
