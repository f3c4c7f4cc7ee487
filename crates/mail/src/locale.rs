//! The reader's language.
//!
//! A tag as browsers and phones give it (BCP 47: `de-AT`), parsed once. What is not there in exactly that language is
//! looked for in the wider one and then in English: `de-AT` → `de` → `en`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Octets of a tag: language, script, region, a variant or two (RFC 5646 §4.4.1 asks for 35).
const MAX_TAG: usize = 35;
/// What everything is there in.
const ENGLISH: &str = "en";

/// The text is no language tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a language tag, as en or de-AT")]
pub struct LocaleError;

/// A language tag in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Locale(String);

impl Locale {
    /// English.
    #[must_use]
    pub fn english() -> Self {
        Self(ENGLISH.to_owned())
    }

    /// Parses a tag: subtags of letters and digits, joined by `-` (or `_`, as some systems write it). Whether there is
    /// such a language is not asked.
    ///
    /// # Errors
    /// [`LocaleError`].
    pub fn parse(tag: &str) -> Result<Self, LocaleError> {
        let tag = tag.to_ascii_lowercase().replace('_', "-");
        let mut subtags = tag.split('-');
        let language = subtags.next().unwrap_or_default();
        let is_language = (2..=8).contains(&language.len()) && language.bytes().all(|b| b.is_ascii_lowercase());
        let is_subtag =
            |subtag: &str| (1..=8).contains(&subtag.len()) && subtag.bytes().all(|b| b.is_ascii_alphanumeric());
        if tag.len() > MAX_TAG || !is_language || !subtags.all(is_subtag) {
            return Err(LocaleError);
        }
        Ok(Self(tag))
    }

    /// The locale of a stored tag; English for none and for what cannot be read: a mail in English is better than none.
    #[must_use]
    pub fn or_english(tag: Option<&str>) -> Self {
        tag.and_then(|tag| Self::parse(tag).ok()).unwrap_or_else(Self::english)
    }

    /// The tag, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The language without region, as `de`.
    #[must_use]
    pub fn language(&self) -> &str {
        self.0.split('-').next().unwrap_or(ENGLISH)
    }

    /// Itself, then ever wider: `zh-hant-tw`, `zh-hant`, `zh`. English is not among them unless it is one of them.
    pub fn wider(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(self.0.as_str()), |tag| tag.rsplit_once('-').map(|(wider, _)| wider))
    }

    /// Where to look for something in this language: [`wider`](Self::wider), then English.
    pub fn fallbacks(&self) -> impl Iterator<Item = &str> {
        let last = (self.language() != ENGLISH).then_some(ENGLISH);
        self.wider().chain(last)
    }
}

impl Default for Locale {
    fn default() -> Self {
        Self::english()
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Locale {
    type Err = LocaleError;

    fn from_str(tag: &str) -> Result<Self, LocaleError> {
        Self::parse(tag)
    }
}

impl TryFrom<String> for Locale {
    type Error = LocaleError;

    fn try_from(tag: String) -> Result<Self, LocaleError> {
        Self::parse(&tag)
    }
}

impl From<Locale> for String {
    fn from(locale: Locale) -> Self {
        locale.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fallbacks(tag: &str) -> Vec<String> {
        Locale::parse(tag).unwrap().fallbacks().map(str::to_owned).collect()
    }

    #[test]
    fn it_is_looked_for_ever_wider_and_in_english_at_last() {
        assert_eq!(fallbacks("de-AT"), ["de-at", "de", "en"]);
        assert_eq!(fallbacks("zh_Hant_TW"), ["zh-hant-tw", "zh-hant", "zh", "en"]);
        assert_eq!(fallbacks("en-GB"), ["en-gb", "en"]);
        assert_eq!(fallbacks("en"), ["en"]);
    }

    #[test]
    fn what_is_no_tag_is_refused_or_english() {
        for tag in ["", "d", "de-", "-de", "de at", "de/../x", "d3", "de\r\n", "ä", &"de-".repeat(20)] {
            assert_eq!(Locale::parse(tag), Err(LocaleError), "{tag:?}");
            assert_eq!(Locale::or_english(Some(tag)), Locale::english());
        }
        assert_eq!(Locale::or_english(None), Locale::default());
        assert_eq!(Locale::or_english(Some("es-MX")).language(), "es");
    }
}
