//! Labels: what an alert is about, as sorted names and values.
//!
//! They stand in subjects, pages, logs and keys, so they are checked once, here, when they come in: names as Prometheus has
//! them, values short and without anything that breaks a line or turns the direction of text around. A label with an empty
//! value is no label.

use std::collections::BTreeMap;
use std::collections::btree_map::Iter;
use std::fmt;

use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

/// Sorted labels, all of them checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Labels(BTreeMap<String, String>);

/// A label that cannot be used. Permanent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// The name is none.
    #[error("{0} is no name of a label: letters, digits and _, not a digit first, at most {max} bytes", max = Labels::LONGEST_NAME)]
    Name(
        /// The name, escaped and cut.
        String,
    ),
    /// The value is too long.
    #[error("the value of {name} has {length} bytes: at most {max}", max = Labels::LONGEST_VALUE)]
    TooLong {
        /// The label.
        name: String,
        /// How long its value is, in bytes.
        length: usize,
    },
    /// The value has a character that is not printed.
    #[error("the value of {name} has a control character (U+{code:04X})")]
    Control {
        /// The label.
        name: String,
        /// The character's number.
        code: u32,
    },
    /// There are too many.
    #[error("more than {max} labels", max = Labels::MOST)]
    TooMany,
}

impl LabelError {
    /// The label that is at fault, if it is one and has a name that can be shown.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        match self {
            Self::TooLong { name, .. } | Self::Control { name, .. } => Some(name),
            Self::Name(_) | Self::TooMany => None,
        }
    }
}

impl Labels {
    /// The most labels that an alert has.
    pub const MOST: usize = 64;
    /// The longest name, in bytes.
    pub const LONGEST_NAME: usize = 128;
    /// The longest value, in bytes.
    pub const LONGEST_VALUE: usize = 1024;

    /// No labels.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Labels from pairs; the last of several with the same name counts.
    ///
    /// # Errors
    /// [`LabelError`] for the first that cannot be used.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, LabelError> {
        let mut labels = Self::new();
        for (name, value) in pairs {
            labels.insert(name, value)?;
        }
        Ok(labels)
    }

    /// Adds one, or replaces it; an empty value takes it out.
    ///
    /// # Errors
    /// [`LabelError`]; nothing is changed.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<String>) -> Result<(), LabelError> {
        let (name, value) = (name.into(), value.into());
        if !is_label_name(&name) {
            return Err(LabelError::Name(shown(&name)));
        }
        if value.len() > Self::LONGEST_VALUE {
            return Err(LabelError::TooLong { name, length: value.len() });
        }
        if let Some(bad) = value.chars().find(|c| is_unprintable(*c)) {
            return Err(LabelError::Control { name, code: bad.into() });
        }
        if value.is_empty() {
            self.0.remove(&name);
        } else if self.0.len() >= Self::MOST && !self.0.contains_key(&name) {
            return Err(LabelError::TooMany);
        } else {
            self.0.insert(name, value);
        }
        Ok(())
    }

    /// Takes one out.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// The value of one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All, in the order of their names.
    #[must_use]
    pub fn iter(&self) -> Pairs<'_> {
        Pairs(self.0.iter())
    }

    /// Sets one that is known to be sound, beyond [`Labels::MOST`] too, unless there is one of that name.
    pub(crate) fn derive(&mut self, name: &str, value: &str) {
        self.0.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
}

/// The labels in the order of their names.
#[derive(Debug, Clone)]
pub struct Pairs<'a>(Iter<'a, String, String>);

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = (&'a str, &'a str);
    type IntoIter = Pairs<'a>;

    fn into_iter(self) -> Pairs<'a> {
        self.iter()
    }
}

/// As people read them: `host="a" severity="critical"`.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, value)) in self.iter().enumerate() {
            let gap = if i == 0 { "" } else { " " };
            write!(f, "{gap}{name}={value:?}")?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Table)
    }
}

/// Reads one label after the other, so that a table without end is refused at its 65th.
struct Table;

impl<'de> Visitor<'de> for Table {
    type Value = Labels;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of names and texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Labels, A::Error> {
        let mut labels = Labels::new();
        while let Some((name, value)) = table.next_entry::<String, String>()? {
            labels.insert(name, value).map_err(A::Error::custom)?;
        }
        Ok(labels)
    }
}

/// `[a-zA-Z_][a-zA-Z0-9_]*`, at most [`Labels::LONGEST_NAME`] bytes.
pub(crate) fn is_label_name(name: &str) -> bool {
    name.len() <= Labels::LONGEST_NAME
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// What ends a line, rings a bell or turns text around: control characters (Unicode Cc), line and paragraph separators, and
/// the marks that change the direction of what follows (Unicode UAX #9 §2.1, §2.2).
pub(crate) fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Text from outside, for a message: escaped and cut.
pub(crate) fn shown(text: &str) -> String {
    let cut: String = text.chars().take(40).collect();
    let dots = if cut.len() < text.len() { "…" } else { "" };
    format!("{cut:?}{dots}")
}
