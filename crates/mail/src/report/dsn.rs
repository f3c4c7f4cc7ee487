//! Delivery status notifications: how a mail fared, for each recipient (RFC 3464 §2.3).

use super::fields::Group;

/// What happened to the mail of one recipient (RFC 3464 §2.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It will not be delivered.
    Failed,
    /// It was not delivered yet.
    Delayed,
    /// It was delivered, or given to a system that does not report.
    Delivered,
}

/// How the mail of one recipient fared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientStatus {
    /// The address that it could not (or could) be delivered to.
    pub final_recipient: String,
    /// What happened.
    pub action: Action,
    /// The status code (RFC 3463), such as `5.1.1`; none if it is not readable.
    pub status: Option<String>,
    /// What the receiving server said, on one line.
    pub diagnostic: Option<String>,
}

impl RecipientStatus {
    /// Whether it says that there is no such address: see [`is_bad_address`].
    #[must_use]
    pub fn is_bad_address(&self) -> bool {
        self.action == Action::Failed && self.status.as_deref().is_some_and(is_bad_address)
    }
}

/// Whether an enhanced status code says that the recipient's address is at fault for good: 5.1.x, but not those of the
/// family that speak of the sender (5.1.7, 5.1.8; RFC 3463 §3.2), of an address that is right (5.1.5), or do not say of
/// whose address they speak (5.1.0: relays say it of a sender that they do not know). Policy (5.7.x) and full mailboxes
/// (5.2.x) say nothing about the address.
#[must_use]
pub fn is_bad_address(status: &str) -> bool {
    status.strip_prefix("5.1.").is_some_and(|detail| {
        detail.parse::<u16>().is_ok_and(|detail| !matches!(detail, 0 | 5 | 7 | 8)) && detail.len() <= 3
    })
}

pub(super) fn recipients(groups: &[Group]) -> impl Iterator<Item = RecipientStatus> {
    groups.iter().filter_map(|group| {
        let action = match group.get("action")?.split_whitespace().next()?.to_ascii_lowercase().as_str() {
            "failed" => Action::Failed,
            "delayed" => Action::Delayed,
            "delivered" | "relayed" | "expanded" => Action::Delivered,
            _ => return None,
        };
        let code = group.get("status").and_then(|status| status.split_whitespace().next()).filter(|code| is_code(code));
        let diagnostic = group.get("diagnostic-code").map(|text| match text.split_once(';') {
            Some((_, said)) => said.trim().to_owned(),
            None => text.to_owned(),
        });
        Some(RecipientStatus {
            final_recipient: group.address("final-recipient")?,
            action,
            status: code.map(str::to_owned),
            diagnostic,
        })
    })
}

/// `class.subject.detail` (RFC 3463 §2).
fn is_code(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    parts.len() == 3 && matches!(parts[0], "2" | "4" | "5") && parts.iter().all(|part| number(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_codes_that_speak_of_the_address_are_bad_addresses() {
        for bad in ["5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.1.6", "5.1.10"] {
            assert!(is_bad_address(bad), "{bad}");
        }
        for other in ["5.1.0", "5.1.00", "5.1.5", "5.1.7", "5.1.8", "5.7.1", "5.7.26", "5.2.2", "4.1.1"] {
            assert!(!is_bad_address(other), "{other}");
        }
        for none in ["5.1", "5.1.", "5.1.x", "5.1.1.1"] {
            assert!(!is_bad_address(none), "{none}");
        }
    }
}
