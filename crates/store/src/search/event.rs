//! Events on their way into the store: a search, and what was done with what it found.
//!
//! Ids are the caller's own. A UUID is kept as it is; anything else is kept as text, and known by its hash, so that every
//! key is 16 bytes. Subjects and sessions are told apart by a hash, too; without consent there is none of either.

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::{Builder, Uuid};

use crate::words::words;

words! {
    /// What somebody did with what a search found.
    pub enum InteractionKind {
        /// It was seen.
        View = "view",
        /// It was opened.
        Click = "click",
        /// It was pointed at.
        Hover = "hover",
        /// It was remembered.
        Bookmark = "bookmark",
        /// Its owner was written to.
        Contact = "contact",
        /// It was booked.
        Book = "book",
    }
}

words! {
    /// What somebody searched with.
    pub enum Device {
        /// A computer.
        Desktop = "desktop",
        /// A telephone.
        Mobile = "mobile",
        /// A tablet.
        Tablet = "tablet",
        /// Something else, or nobody said.
        Other = "other",
    }
}

/// The id of an event: a UUID with hyphens, in any case, is its own key, another text has its hash for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventId {
    /// What it is known by.
    #[serde(rename = "k")]
    pub key: Uuid,
    /// The text, where the key is its hash.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl EventId {
    /// The id that the caller gave.
    #[must_use]
    pub fn new(text: &str) -> Self {
        match canonical(text) {
            Some(key) => Self { key, text: None },
            None => Self { key: hashed("event", text), text: Some(text.to_owned()) },
        }
    }
}

fn canonical(text: &str) -> Option<Uuid> {
    // Not those that are written in another way: their text would be lost.
    Uuid::try_parse(text).ok().filter(|_| text.len() == 36)
}

/// Whose id a subject's is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SubjectOf {
    /// A user's.
    User,
    /// That of a guest's session.
    Guest,
    /// Either: what has this id, of whichever of the two.
    #[default]
    Either,
}

impl SubjectOf {
    /// What subjects of this id are told apart by.
    pub(super) fn keys(self, subject: &str) -> Vec<Uuid> {
        let (user, guest) = (subject_key(subject, false), subject_key(subject, true));
        match self {
            Self::User => vec![user],
            Self::Guest => vec![guest],
            Self::Either => vec![user, guest],
        }
    }
}

/// What a subject (a user's id, or that of a guest's session) is told apart by.
#[must_use]
pub fn subject_key(subject: &str, guest: bool) -> Uuid {
    hashed(if guest { "guest" } else { "subject" }, subject)
}

/// What a session is told apart by.
#[must_use]
pub fn session_key(session: &str) -> Uuid {
    hashed("session", session)
}

/// The first 122 bits of SHA-256 as a UUID of version 8 (RFC 9562 §5.8), so that it is no UUID of a caller.
fn hashed(what: &str, text: &str) -> Uuid {
    let hash = digest(&SHA256, format!("{what}\n{text}").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_ref()[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// A search, as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSearch {
    /// The caller's id.
    pub id: EventId,
    /// When it took place.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub at: Timestamp,
    /// The user, or the guest's session; none without consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What the session is told apart by ([`session_key`]); none without consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Uuid>,
    /// Whether no user was known.
    pub guest: bool,
    /// Whether what identifies may be kept.
    pub consent: bool,
    /// What was searched for, as it is counted.
    pub query: String,
    /// The kind of search.
    pub kind: String,
    /// What with.
    pub device: Device,
    /// How many results there were.
    pub results: u32,
    /// A JSON object, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filters: Option<String>,
    /// Where from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referrer: Option<String>,
    /// The keyed hash of the address; none without consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Uuid>,
}

/// What somebody did with what a search found, as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewInteraction {
    /// The caller's id.
    pub id: EventId,
    /// When it took place.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub at: Timestamp,
    /// The key of its search ([`EventId::key`]).
    pub search: Uuid,
    /// What was done.
    pub kind: InteractionKind,
    /// With what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// Its place in the list, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// How long after the search, in milliseconds, as the caller measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_its_own_key_and_another_text_has_one() {
        let uuid = "01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77";
        assert_eq!(EventId::new(uuid), EventId { key: Uuid::try_parse(uuid).unwrap(), text: None });
        assert_eq!(EventId::new(&uuid.to_uppercase()), EventId::new(uuid), "RFC 9562 §4: their case says nothing");
        for text in ["s1", "01983b5c7f1e7a009c1f2f6d8e1b4a77"] {
            let id = EventId::new(text);
            assert_eq!((id.text.as_deref(), id.key.get_version_num()), (Some(text), 8));
            assert_eq!(id, EventId::new(text));
        }
        assert_ne!(EventId::new("s1").key, EventId::new("s2").key);
    }

    #[test]
    fn a_user_a_guest_and_a_session_of_the_same_name_are_three() {
        let keys = [subject_key("a", false), subject_key("a", true), session_key("a")];
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
    }
}
