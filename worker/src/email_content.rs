//! What a caller of `POST /v1/emails` gave to be sent: sealed by the API, opened by the e-mail job.
//!
//! It may hold what nobody but the reader must see: a link that resets a password, a token, a text, a file. So it is never
//! in the queue, and in the store only sealed, bound to the email's row.

use std::collections::BTreeMap;

use mail::{Attachment, Rendered};
use secrecy::ExposeSecret;
use secrets::{Keyring, OpenError, Row};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// The name that stands for a template where the caller gave the words.
pub const GIVEN: &str = "custom";

/// The kind of row that it is bound to.
const KIND: &str = "email";

/// What is sent. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailContent {
    /// The words.
    pub body: EmailBody,
    /// Where answers go, as `Name <address>` or an address; empty: where the sender's profile says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reply_to: Vec<String>,
    /// Header fields of the caller's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

/// The words.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum EmailBody {
    /// A template of ours is filled with these data.
    Template(Value),
    /// The caller's own words.
    Given {
        /// One line.
        subject: String,
        /// The plain text part.
        text: String,
        /// The HTML part; empty: none.
        html: String,
    },
}

/// Why content cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// Transient: whoever set up the installation can set it.
    #[error("no key is configured (secrets.keys): the content cannot be opened")]
    NoRing,
    /// Transient if the key is missing, permanent otherwise.
    #[error(transparent)]
    Sealed(#[from] OpenError),
    /// Permanent: it was erased with its reader.
    #[error("the content was erased")]
    Erased,
    /// Permanent: made by another release.
    #[error("the content is not readable by this release")]
    Unreadable,
}

impl ContentError {
    /// Whether it may be had later: a key may be put back.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::NoRing | Self::Sealed(OpenError::NoKey(_)))
    }
}

/// Seals content for the email `id`.
#[must_use]
pub fn seal(ring: &Keyring, id: Uuid, content: &EmailContent) -> Vec<u8> {
    let plain = serde_json::to_vec(content).expect("texts, JSON and base64 always are JSON");
    ring.seal(Row { kind: KIND, id: id.as_bytes() }, &plain)
}

/// Opens the content of the email `id`.
///
/// # Errors
/// [`ContentError`].
pub fn open(ring: Option<&Keyring>, id: Uuid, sealed: Option<&[u8]>) -> Result<EmailContent, ContentError> {
    let sealed = sealed.ok_or(ContentError::Erased)?;
    let opened = ring.ok_or(ContentError::NoRing)?.open(Row { kind: KIND, id: id.as_bytes() }, sealed)?;
    serde_json::from_slice(opened.expose_secret()).map_err(|_| ContentError::Unreadable)
}

impl EmailBody {
    /// The caller's own words, if it is that.
    #[must_use]
    pub fn given(&self) -> Option<Rendered> {
        match self {
            Self::Template(_) => None,
            Self::Given { subject, text, html } => {
                Some(Rendered { subject: subject.clone(), text: text.clone(), html: html.clone() })
            }
        }
    }
}

impl std::fmt::Debug for EmailContent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EmailContent([sealed])")
    }
}

impl std::fmt::Debug for EmailBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EmailBody([sealed])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_for_one_email_opens_for_it_alone_and_shows_itself_nowhere() {
        let ring = Keyring::ephemeral();
        let (id, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let content = EmailContent {
            body: EmailBody::Given { subject: "s".into(), text: "canary".into(), html: String::new() },
            reply_to: vec!["Ana <ana@example.com>".into()],
            headers: BTreeMap::from([("X-Order".into(), "17".into())]),
            attachments: vec![Attachment::new("a.txt", "text/plain", b"canary".to_vec()).unwrap()],
        };
        let sealed = seal(&ring, id, &content);
        assert!(!sealed.windows(6).any(|window| window == b"canary"));
        assert_eq!(open(Some(&ring), id, Some(&sealed)).unwrap(), content);
        assert_eq!(open(Some(&ring), other, Some(&sealed)).unwrap_err(), ContentError::Sealed(OpenError::Broken));
        assert_eq!(open(Some(&ring), id, None).unwrap_err(), ContentError::Erased);
        let error = open(None, id, Some(&sealed)).unwrap_err();
        assert!(error.is_transient());
        assert!(!format!("{content:?} {:?}", content.body).contains("canary"));
    }
}
