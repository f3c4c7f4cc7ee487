//! Step 4, before it is asked whether the person may be written to: may mail leave to this address at all? A test
//! installation must not write to real people (`mail.allow_recipients`, `mail.redirect_to`).

use mail::{Destination, EmailAddress};
use store::{Delivery, DeliveryEvent, DeliveryEventKind};
use tracing::warn;

use super::render::unsendable;
use super::{Halt, Send};

/// Where the mail goes.
pub(super) struct To {
    /// The envelope's recipient.
    pub(super) address: EmailAddress,
    /// Whether that is another one than the mail's.
    pub(super) redirected: bool,
}

impl Send<'_> {
    pub(super) async fn destination(&self, delivery: &Delivery) -> Result<To, Halt> {
        let recipient = EmailAddress::parse(&delivery.recipient).map_err(unsendable)?;
        match self.mailer.recipients.destination(&recipient) {
            Destination::Recipient => Ok(To { address: recipient, redirected: false }),
            Destination::Nowhere => {
                Err(Halt::Suppressed("mail.allow_recipients does not let mail leave to this address".to_owned()))
            }
            Destination::Redirected(address) => {
                self.tell_redirected(delivery, &address).await;
                Ok(To { address, redirected: true })
            }
        }
    }

    /// Into the mail's history, once: whoever asks why a person did not get it finds it there.
    async fn tell_redirected(&self, delivery: &Delivery, address: &EmailAddress) {
        let event = DeliveryEvent {
            delivery_id: delivery.id,
            at: self.now(),
            kind: DeliveryEventKind::Redirected,
            verified: true,
            status: None,
            text: Some(format!("it goes to {address} (mail.redirect_to) in place of its recipient")),
        };
        let source = format!("redirected to {address}");
        if let Err(error) = self.context.store.add_delivery_event(self.new_id(), &event, source.as_bytes()).await {
            warn!(delivery_id = %delivery.id, %error, "that a mail is redirected could not be written down");
        }
    }
}
