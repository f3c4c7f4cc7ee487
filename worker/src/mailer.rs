//! What a mail needs on its way out: templates, senders with their keys, and the relay.

use std::collections::HashMap;
use std::sync::Arc;

use mail::{DkimSigner, EmailAddress, RecipientRule, Renderer, SenderProfile, SmtpTransport};
use store::Category;

use crate::gate::Gate;

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
    pub renderer: Renderer,
    /// The senders, by their name in the configuration. Nothing else can be a From.
    pub senders: HashMap<String, Sender>,
    /// Keeps in what would not authenticate.
    pub gate: Arc<Gate>,
    /// To whom mail may leave.
    pub recipients: RecipientRule,
    /// The relay.
    pub transport: SmtpTransport,
}
