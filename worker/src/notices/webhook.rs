//! Posting a notice: signed as Standard Webhooks has it, over the careful client.

use std::fmt;

use bytes::Bytes;
use jiff::Timestamp;
use outbound::{Client, OutboundError};
use standardwebhooks::Webhook as Signer;

use super::body;
use crate::jobs::operator_notify::OperatorNotify;

/// Where notices are posted.
pub struct Webhook {
    url: String,
    signer: Option<Signer>,
    client: Client,
}

/// A notice that was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There was no answer.
    #[error("the webhook: {0}")]
    Call(#[from] OutboundError),
    /// The answer was not 2xx.
    #[error("the webhook answers {0}")]
    Status(u16),
    /// It could not be signed.
    #[error("the notice cannot be signed: {0}")]
    Sign(String),
}

impl Refused {
    /// Whether the same notice may be taken later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Call(error) => error.is_transient(),
            Self::Status(status) => *status != 410,
            Self::Sign(_) => false,
        }
    }
}

impl Webhook {
    /// A webhook at `url`; `secret` is `whsec_` and base64.
    ///
    /// # Errors
    /// The secret is none.
    pub fn new(url: &str, secret: Option<&str>, client: Client) -> Result<Self, String> {
        let signer = secret.map(|secret| Signer::new(secret).map_err(|e| e.to_string())).transpose()?;
        Ok(Self { url: url.to_owned(), signer, client })
    }

    /// Posts a notice. `id` stays the same when it is posted again, so that receivers see that it is the same.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn post(&self, id: &str, job: &OperatorNotify, now: Timestamp) -> Result<(), Refused> {
        self.send(id, body(&job.notice, job.raised, job.at).to_string(), now).await
    }

    /// Posts a body of JSON, signed if there is a secret. `id` stays the same when it is posted again.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn send(&self, id: &str, body: String, now: Timestamp) -> Result<(), Refused> {
        let seconds = now.as_second();
        let (sent_at, mut signature) = (seconds.to_string(), None);
        if let Some(signer) = &self.signer {
            signature = Some(signer.sign(id, seconds, body.as_bytes()).map_err(|e| Refused::Sign(e.to_string()))?);
        }
        let mut headers =
            vec![("content-type", "application/json"), ("webhook-id", id), ("webhook-timestamp", sent_at.as_str())];
        headers.extend(signature.as_deref().map(|signature| ("webhook-signature", signature)));
        let answer = self.client.post(&self.url, &headers, Bytes::from(body)).await?;
        match answer.is_success() {
            true => Ok(()),
            false => Err(Refused::Status(answer.status)),
        }
    }
}

impl fmt::Debug for Webhook {
    /// Its path is often as good as a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("signed", &self.signer.is_some()).finish_non_exhaustive()
    }
}
