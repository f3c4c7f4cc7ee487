//! Alerts: what is wrong is counted on an incident, and told to those who take care of it; neither too often nor too late.
//!
//! 1. `intake` takes alerts in: what they do to their incident says `life`, which groups hear of it `grouping`.
//! 2. `clockwork` looks what is due. What a group tells says `decide`; what is not told just now `mute`; to whom, and
//!    whether now or in a digest, `teller` and `admit`, by what `forecast` sees come.
//! 3. `letter` fills the mails, `payload` what is posted; `post` posts, and leaves a server that is away alone for a while.
//! 4. `hands` are people's: acknowledge, resolve, comment; `link` is the one in each message.
//! 5. `trouble` tells by another way of messages that do not get through.
//!
//! `rules` are the settings. Everything that decides is a function of rows, settings and the time.

mod admit;
pub mod clockwork;
mod decide;
mod forecast;
mod grouping;
mod hands;
mod intake;
mod letter;
mod life;
pub mod link;
mod mute;
pub(crate) mod payload;
mod post;
mod rules;
mod teller;
mod trouble;

use letter::lasting;

pub use hands::{Deed, Handled};
pub use intake::{Accepted, Intake};
pub use life::Outcome;
pub use mute::inhibitor;
pub use post::{NotPosted, Post};
pub use rules::{AlertRules, OPERATORS, Receiver, SENDER, Storm};
