//! Mail, from a template to the wire, and the receiver that development and tests send to.
//!
//! One mail takes this path:
//! 1. [`render`]: a template and its data become subject, text and HTML; times were made human by [`when`] before.
//! 2. [`message`]: subject, text, HTML, a [`SenderProfile`], mailboxes, files and an entry for the reader's calendar
//!    ([`calendar`]) become RFC 5322 bytes, the same bytes at every retry.
//! 3. [`dkim`]: the bytes are signed.
//! 4. [`transport`]: they are handed to a relay over SMTP; the caller learns at which phase a failure happened and
//!    whether the relay may have taken the mail.
//!
//! Before any of it, [`gate`] asks whether a mail of that sender would authenticate at its receiver, over [`dns`].
//!
//! On the other side, for `postrider dev` and for tests: [`zone`] serves a DNS zone with real packets, [`catcher`] is an
//! SMTP server that keeps what it gets, and [`verify`] judges each mail as a receiver would (SPF, DKIM, DMARC).
//!
//! Addresses are parsed once, by [`EmailAddress`]; time is passed in.

pub mod address;
pub mod calendar;
pub mod catcher;
pub mod dkim;
pub mod dns;
pub mod gate;
pub mod locale;
pub mod message;
mod plain;
mod recipients;
pub mod render;
pub mod report;
pub mod sender;
pub mod transport;
pub mod verify;
pub mod verp;
pub mod when;
pub mod zone;

pub use address::{AddressError, EmailAddress, Mailbox};
pub use catcher::{Catcher, CatcherOptions, CaughtMail, Inbox};
pub use dkim::{DkimError, DkimKey, DkimSigner};
pub use dns::{Dns, DnsSetupError};
pub use locale::{Locale, LocaleError};
pub use message::{Attachment, Draft, Header, MessageError, MessageId};
pub use plain::{TooMuch, plain_text};
pub use recipients::{BadPattern, Destination, RecipientPattern, RecipientRule};
pub use render::{RenderError, Rendered, Renderer};
pub use sender::SenderProfile;
pub use transport::{
    Accepted, Credentials, Envelope, RelayConfig, Security, SendError, SendErrorKind, SendPhase, SmtpTransport,
    Timeouts, TlsRoots,
};
pub use verify::{Received, Verdict, Verdicts, Verifier};
pub use zone::{DnsServer, Zone};
