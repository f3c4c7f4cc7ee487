//! Links in mails lead somewhere that a reader can open.
//!
//! A report is unsubscribed from by a link, and by the reader's own mail program only if that is `https://` (RFC 8058 §3.1).
//! Workers write the links, the API answers them: both need `api.public_url`, and neither starts where mail may leave with
//! links that are dead.

use config::Config;

use crate::commands::Usage;

/// Refuses to start where mail may leave and its links would lead nowhere.
pub fn links_must_work(config: &Config) -> Result<(), Usage> {
    if config.mail.transport.is_none() {
        return Ok(());
    }
    let example = "set it for `api` and `worker`, such as https://jobs.example.com";
    match config.api.public_url.as_deref() {
        None => Err(Usage(format!(
            "api.public_url is not set: links in mails would lead to {}, which no reader can open; {example}",
            config.api.base_url()
        ))),
        Some(url) if url.starts_with("https://") || is_this_machine(url) => Ok(()),
        Some(url) => Err(Usage(format!(
            "api.public_url is {url}: mail programs unsubscribe by https:// only (RFC 8058 §3.1); {example}"
        ))),
    }
}

/// A test installation, whose reader sits before it.
fn is_this_machine(url: &str) -> bool {
    let host = url.strip_prefix("http://").unwrap_or_default();
    host == "localhost" || ["localhost:", "127.", "[::1]"].iter().any(|start| host.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(set: &[(&str, &str)]) -> Result<(), String> {
        let key = "0123456789abcdef".repeat(4);
        let set = set.iter().copied().chain([("SECRETS__KEYS__K1", key.as_str())]);
        let set = set.map(|(name, value)| (format!("POSTRIDER__{name}"), value.to_owned()));
        links_must_work(&Config::load(None, set).unwrap()).map_err(|usage| usage.0)
    }

    #[test]
    fn mail_may_leave_only_with_links_that_can_be_opened() {
        assert_eq!(said(&[]), Ok(()), "without a relay nothing leaves");
        let relay = ("MAIL__TRANSPORT", "smtp://127.0.0.1");
        assert!(said(&[relay]).unwrap_err().contains("lead to http://127.0.0.1:8080, which no reader can open"));
        let with = |url| said(&[relay, ("API__PUBLIC_URL", url)]);
        for url in ["https://jobs.example.com", "http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]"] {
            assert_eq!(with(url), Ok(()), "{url}");
        }
        for url in ["http://jobs.example.com", "http://localhost.example.com"] {
            assert!(with(url).unwrap_err().contains("RFC 8058"), "{url}");
        }
    }
}
