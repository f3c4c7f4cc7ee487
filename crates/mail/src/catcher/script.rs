//! Making the catcher misbehave on purpose, step by step.
//!
//! What a relay does wrong is the half of SMTP that matters: refusals at any step, silence, a connection that breaks
//! just before or just after the mail was taken. A script is asked at every step and says what happens.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Asked at every step of every session; from many threads.
pub type Script = Arc<dyn Fn(&Step<'_>) -> Reaction + Send + Sync>;

/// Where a session stands.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// A client has connected; the greeting is next.
    Connect {
        /// Who.
        peer: SocketAddr,
    },
    /// EHLO or HELO.
    Ehlo {
        /// The client's name.
        name: &'a str,
    },
    /// AUTH with any mechanism.
    Auth,
    /// MAIL FROM; empty for `<>`.
    Mail {
        /// The reverse path.
        from: &'a str,
    },
    /// RCPT TO.
    Rcpt {
        /// The forward path.
        to: &'a str,
    },
    /// DATA; the 354 is next.
    Data,
    /// The dot; the final reply is next.
    Dot {
        /// The message, dots unstuffed.
        message: &'a [u8],
    },
}

/// What the catcher does at a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaction {
    /// What it would do anyway.
    Proceed,
    /// This, but first nothing for a while.
    Delay(Duration),
    /// Answers with this code and text, and goes on. A text may start with an enhanced code (`4.7.1 …`).
    Reply(u16, String),
    /// Answers and closes the connection.
    ReplyThenClose(u16, String),
    /// Answers and then neither reads nor writes.
    ReplyThenStall(u16, String),
    /// Neither reads nor writes until the idle time is over.
    Stall,
    /// Closes the connection without an answer.
    Close,
    /// At the dot: keeps the mail, and closes without an answer. The sender cannot know.
    AcceptThenClose,
}
