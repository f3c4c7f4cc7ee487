//! A text that must not be seen: `Debug` hides it, reading it is a visible call.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// A password or key. It is wiped when dropped and prints as `[secret]`.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(SecretString);

impl Secret {
    /// The text itself: for the call that needs it, never for a log line.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl PartialEq for Secret {
    /// For comparing configurations; not constant-time, so not for checking what a client sent.
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Hides the user part of every URL in `text`, password included: `redis://[secret]@host`.
pub(crate) fn mask_urls(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, rest)) => {
            // The user part ends at the last `@` of the authority; a password with a raw `/` still must not show.
            match rest.rsplit_once('@') {
                Some((_, shown)) => format!("{scheme}://[secret]@{shown}"),
                None => text.to_owned(),
            }
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Secret, mask_urls};

    #[test]
    fn a_secret_does_not_show_itself() {
        let secret = Secret::from("hunter2".to_owned());
        assert_eq!(format!("{secret:?}"), "[secret]");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn passwords_in_urls_are_masked_even_in_broken_ones() {
        assert_eq!(mask_urls("redis://u:p@h:1/0"), "redis://[secret]@h:1/0");
        assert_eq!(mask_urls("redis://u:p/a@b@h"), "redis://[secret]@h");
        assert_eq!(mask_urls("redis://h:1"), "redis://h:1");
        assert_eq!(mask_urls("sqlite:a@b"), "sqlite:a@b");
    }
}
