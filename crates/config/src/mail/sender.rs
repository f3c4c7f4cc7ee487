//! Sender profiles and the DKIM keys that sign for them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::Mail;
use crate::check::{self, Check};

/// One sender as it is written in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sender {
    /// `bookings@example.com`, or only `bookings`, completed by `mail.domain`.
    pub address: String,
    /// What people read beside the address.
    pub name: String,
    /// Where answers go; none: to the address itself.
    #[serde(default)]
    pub reply_to: Option<String>,
    /// The selector of the DKIM key, where the domain has several; none: the first by the name of its table, unless the store
    /// knows which one signs.
    #[serde(default)]
    pub selector: Option<String>,
    /// What kind of mail it sends.
    #[serde(default)]
    pub class: MailClass,
}

/// What a sender's mails are to their readers, where the mail itself does not say: how long they are worth trying, and
/// what to do when their fate is unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailClass {
    /// About a lesson: worth a day, never twice.
    #[default]
    #[serde(alias = "transactional")]
    Booking,
    /// A greeting, an address to verify: worth an hour, never twice.
    Account,
    /// Password resets and the like: worth an hour, never twice.
    Security,
    /// An operator must know: worth an hour, rather twice than not at all.
    Alert,
    /// Regular figures: worth six hours, never twice.
    Report,
}

/// A signing key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dkim {
    /// The domain it signs for (`d=`); none: `mail.domain`.
    #[serde(default)]
    pub domain: Option<String>,
    /// The selector under which its public half is published (`s=`).
    pub selector: String,
    /// PEM file with the RSA private key (PKCS#8 or PKCS#1).
    pub key_file: PathBuf,
}

/// A sender, ready to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name in the configuration: `bookings`.
    pub name: String,
    /// The full address.
    pub address: String,
    /// The part after the `@`.
    pub domain: String,
    /// What people read.
    pub display_name: String,
    /// Where answers go.
    pub reply_to: Option<String>,
    /// What kind of mail it sends.
    pub class: MailClass,
    /// The key to sign with, its domain filled in; `None`: no key for this domain.
    pub dkim: Option<Dkim>,
}

impl Sender {
    /// The address at its domain, the key chosen; `None` without a domain.
    pub(super) fn resolve(&self, name: &str, mail: &Mail) -> Option<Profile> {
        let (local, domain) = match self.address.split_once('@') {
            Some((local, domain)) => (local, domain),
            None => (self.address.as_str(), mail.domain.as_deref()?),
        };
        let mut keys = mail.keys_of(domain);
        let dkim = keys.find(|key| self.selector.as_ref().is_none_or(|wanted| *wanted == key.selector));
        Some(Profile {
            name: name.to_owned(),
            address: format!("{local}@{domain}"),
            domain: domain.to_owned(),
            display_name: self.name.clone(),
            reply_to: self.reply_to.clone(),
            class: self.class,
            dkim,
        })
    }

    /// A selector of no key of its domain signs nothing: a typing error that would keep the sender's mails waiting.
    pub(super) fn validate_selector(&self, name: &str, mail: &Mail, check: &mut Check) {
        let (Some(wanted), Some(profile)) = (&self.selector, self.resolve(name, mail)) else { return };
        let known: Vec<String> = mail.keys_of(&profile.domain).map(|key| key.selector).collect();
        let reason = match known.as_slice() {
            [] => format!("there is no key of {} under [mail.dkim]", profile.domain),
            known => format!("no key of {} has this selector; there are {}", profile.domain, known.join(", ")),
        };
        check.that(known.contains(wanted), &format!("senders.{name}.selector"), reason);
    }

    pub(super) fn validate(&self, name: &str, check: &mut Check) {
        let key = |key: &str| format!("senders.{name}.{key}");
        check.name(&format!("senders.{name}"), name);
        let address = check::is_address(&self.address) || check::is_local_part(&self.address);
        check.that(address, &key("address"), "must be a bare address, or its part before the @");
        let one_line = self.name.len() <= 200 && !self.name.chars().any(char::is_control);
        check.that(one_line, &key("name"), "must be one line of at most 200 bytes");
        if let Some(reply_to) = &self.reply_to {
            check.that(check::is_address(reply_to), &key("reply_to"), "must be a bare address");
        }
    }
}

/// The four senders that the job kinds of Postrider use.
pub(super) fn default_senders() -> BTreeMap<String, Sender> {
    [
        ("alerts", "Postrider Alerts", MailClass::Alert),
        ("bookings", "Bookings", MailClass::Booking),
        ("hello", "Hello", MailClass::Account),
        ("security", "Security", MailClass::Security),
    ]
    .into_iter()
    .map(|(local, name, class)| {
        let sender = Sender { address: local.to_owned(), name: name.to_owned(), reply_to: None, selector: None, class };
        (local.to_owned(), sender)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::{Dkim, Mail};

    fn mail() -> Mail {
        let key = |domain: Option<&str>, selector: &str| Dkim {
            domain: domain.map(str::to_owned),
            selector: selector.to_owned(),
            key_file: "k.pem".into(),
        };
        let dkim = [("a", key(None, "s1")), ("b", key(None, "s2")), ("c", key(Some("other.example"), "s3"))];
        Mail {
            domain: Some("example.com".to_owned()),
            dkim: dkim.into_iter().map(|(n, k)| (n.to_owned(), k)).collect(),
            ..Mail::default()
        }
    }

    #[test]
    fn a_local_part_is_completed_and_signed_by_the_first_key_of_its_domain() {
        let profile = mail().profile("bookings").unwrap();
        assert_eq!(profile.address, "bookings@example.com");
        assert_eq!(profile.dkim.unwrap().selector, "s1");
    }

    #[test]
    fn a_sender_can_choose_its_selector_and_its_own_domain() {
        let mut mail = mail();
        let sender = mail.senders.get_mut("hello").unwrap();
        sender.selector = Some("s2".to_owned());
        assert_eq!(mail.profile("hello").unwrap().dkim.unwrap().selector, "s2");

        let sender = mail.senders.get_mut("alerts").unwrap();
        sender.address = "ops@other.example".to_owned();
        let dkim = mail.profile("alerts").unwrap().dkim.unwrap();
        assert_eq!((dkim.domain.as_deref(), dkim.selector.as_str()), (Some("other.example"), "s3"));
    }

    #[test]
    fn without_a_domain_there_is_no_sender() {
        let mail = Mail { domain: None, ..mail() };
        assert_eq!(mail.profile("bookings"), None);
        assert_eq!(mail.profiles().count(), 0);
        assert_eq!(mail.profile("nobody"), None);
    }
}
