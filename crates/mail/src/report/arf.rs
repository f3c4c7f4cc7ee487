//! Complaints: a mailbox provider tells that a reader called a mail unwanted (RFC 5965).

use super::fields::Group;

/// A complaint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// `abuse`, `fraud`, `virus`, `not-spam`, `other` … (RFC 5965 §3.1, §7.3), in lower case.
    pub kind: String,
    /// The envelope sender of the mail that it is about.
    pub original_mail_from: Option<String>,
    /// Its recipient; providers often leave it out.
    pub original_rcpt_to: Option<String>,
}

impl Complaint {
    /// Whether a reader says that such mail is not wanted. `not-spam` is the opposite; `virus`, `auth-failure` (RFC 6591)
    /// and others are the word of a machine about the mail.
    #[must_use]
    pub fn is_unwanted(&self) -> bool {
        matches!(self.kind.as_str(), "abuse" | "fraud" | "opt-out" | "opt-out-list")
    }

    /// Whether a receiver's machine says that the mail did not authenticate (RFC 6591).
    #[must_use]
    pub fn is_of_authentication(&self) -> bool {
        self.kind == "auth-failure"
    }
}

pub(super) fn complaint(groups: &[Group]) -> Option<Complaint> {
    let group = groups.iter().find(|group| group.get("feedback-type").is_some())?;
    Some(Complaint {
        kind: group.get("feedback-type")?.to_ascii_lowercase(),
        original_mail_from: group.address("original-mail-from"),
        original_rcpt_to: group.address("original-rcpt-to"),
    })
}
