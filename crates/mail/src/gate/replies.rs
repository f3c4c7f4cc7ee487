//! What receivers say about authentication when they refuse a mail: a reason to look at the DNS again at once.

/// Whether an SMTP reply speaks of SPF, DKIM, DMARC or reverse names.
///
/// 1. By its enhanced code: x.7.20 to x.7.27 (RFC 7372 §3, RFC 7505 §4.2), which Gmail also gives with 4xx replies.
/// 2. By Microsoft's 5.7.515 (the domain does not meet its requirements) and 5.7.509 (DMARC).
/// 3. Older receivers only say it in words.
#[must_use]
pub fn speaks_of_authentication(enhanced: Option<&str>, text: &str) -> bool {
    let code = enhanced.and_then(|code| {
        let (class, rest) = code.split_once('.')?;
        matches!(class, "4" | "5").then_some(rest)
    });
    let listed = |detail: &str| {
        detail.parse::<u16>().is_ok_and(|detail| (20..=27).contains(&detail) || detail == 515 || detail == 509)
    };
    if code.and_then(|rest| rest.strip_prefix("7.")).is_some_and(listed) {
        return true;
    }
    let words: Vec<String> = text.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_ascii_lowercase).collect();
    let says = |word: &str| words.iter().any(|said| said == word);
    says("spf") || says("dkim") || says("dmarc") || says("unauthenticated")
}

#[cfg(test)]
mod tests {
    use super::speaks_of_authentication;

    #[test]
    fn refusals_for_want_of_authentication_are_recognised() {
        for (enhanced, text) in [
            (Some("5.7.26"), "This mail has been blocked because the sender is unauthenticated."),
            (Some("4.7.23"), "The sending IP address for this message doesn't have a PTR record"),
            (Some("5.7.27"), "domain does not accept mail"),
            (Some("5.7.515"), "Access denied, sending domain does not meet the required authentication level"),
            (None, "message rejected: SPF check failed"),
            (Some("5.7.1"), "Unauthenticated email from example.com is not accepted due to domain's DMARC policy"),
        ] {
            assert!(speaks_of_authentication(enhanced, text), "{enhanced:?} {text}");
        }
    }

    #[test]
    fn other_refusals_are_not() {
        for (enhanced, text) in [
            (Some("5.1.1"), "no such user"),
            (Some("4.7.0"), "try again later"),
            (Some("5.7.1"), "message content rejected"),
            (Some("2.7.26"), "ok"),
            (Some("5.7.2"), "mailing list expansion prohibited"),
            (None, "suspended"),
        ] {
            assert!(!speaks_of_authentication(enhanced, text), "{enhanced:?} {text}");
        }
    }
}
