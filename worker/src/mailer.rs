//! What a mail needs on its way out: templates, senders with their keys, and the relay.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use mail::{DkimSigner, EmailAddress, RecipientRule, Renderer, SenderProfile, SmtpTransport};
use store::Category;

use crate::gate::Gate;
use crate::pace::Paces;

/// A sender profile and what signs for it.
pub struct Sender {
    /// Name and address.
    pub profile: SenderProfile,
    /// What its mails are to their readers, where nobody says otherwise.
    pub category: Category,
    /// Signs for the domain of the address.
    pub signer: Arc<DkimSigner>,
    /// The MAIL FROM of its mails: where bounces go.
    pub bounce: EmailAddress,
}

/// The way out for mail.
pub struct Mailer {
    /// All templates, parsed.
    pub renderer: Arc<Renderer>,
    /// The senders, by their name in the configuration. Nothing else can be a From.
    pub senders: HashMap<String, Sender>,
    /// Keeps in what would not authenticate.
    pub gate: Arc<Gate>,
    /// To whom mail may leave.
    pub recipients: RecipientRule,
    /// The relay.
    pub transport: SmtpTransport,
    /// The relay that takes over when the first one is away.
    pub fallback: Option<Fallback>,
    /// How fast recipients' domains want their mail.
    pub paces: Paces,
}

impl Mailer {
    /// How long a mail may take at most until a relay wants to have it: each of them may be asked once.
    #[must_use]
    pub fn patience(&self) -> Duration {
        let second = self.fallback.as_ref().map(|fallback| fallback.transport.patience());
        self.transport.patience() + second.unwrap_or_default()
    }
}

/// How long a relay that was found away is not asked, where there is another one.
const REST: Duration = Duration::from_secs(30);

/// A second relay, and whether the first one is worth asking.
pub struct Fallback {
    /// The second relay.
    pub transport: SmtpTransport,
    /// Until when the first one is left alone.
    rests: Mutex<Option<Timestamp>>,
}

impl Fallback {
    /// A second relay.
    #[must_use]
    pub fn new(transport: SmtpTransport) -> Self {
        Self { transport, rests: Mutex::new(None) }
    }

    /// Whether the first relay was found away a moment ago.
    #[must_use]
    pub fn first_rests(&self, now: Timestamp) -> bool {
        self.rests().is_some_and(|until| now < until)
    }

    /// The first relay was found away.
    pub fn let_first_rest(&self, now: Timestamp) {
        *self.rests() = Some(job::clock::after(now, REST));
    }

    fn rests(&self) -> MutexGuard<'_, Option<Timestamp>> {
        self.rests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
