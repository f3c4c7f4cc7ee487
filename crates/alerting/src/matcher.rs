//! A matcher: one question about one label.

use std::fmt;
use std::str::FromStr;

use regex::{Regex, RegexBuilder};
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize, Serializer};

use crate::labels::{Labels, is_label_name, is_unprintable, shown};
use crate::syntax::{self, SyntaxError};

/// How a matcher compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// `=`: equal.
    Equal,
    /// `!=`: not equal.
    NotEqual,
    /// `=~`: the whole value fits the regular expression.
    Regex,
    /// `!~`: it does not.
    NotRegex,
}

impl Op {
    /// From Alertmanager's two switches.
    #[must_use]
    pub const fn of(is_regex: bool, is_equal: bool) -> Self {
        match (is_regex, is_equal) {
            (false, true) => Self::Equal,
            (false, false) => Self::NotEqual,
            (true, true) => Self::Regex,
            (true, false) => Self::NotRegex,
        }
    }

    /// Whether the value is a regular expression.
    #[must_use]
    pub const fn is_regex(self) -> bool {
        matches!(self, Self::Regex | Self::NotRegex)
    }

    /// Whether it asks for what fits, not for what does not.
    #[must_use]
    pub const fn is_equal(self) -> bool {
        matches!(self, Self::Equal | Self::Regex)
    }

    /// How it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }
}

/// The longest value of a matcher, in bytes.
const LONGEST: usize = 1024;
/// How much memory a compiled expression may take, in bytes.
const COMPILED: usize = 1 << 20;

/// One question about one label. A label that is not there has the empty value.
///
/// Regular expressions are anchored at both ends and take time in proportion to the value, whatever they say.
#[derive(Clone)]
pub struct Matcher {
    name: String,
    op: Op,
    value: String,
    regex: Option<Regex>,
}

impl Matcher {
    /// A matcher.
    ///
    /// # Errors
    /// [`SyntaxError`]: a name that is none, a value that is too long or has control characters, an expression that does not
    /// compile or grows too large.
    pub fn new(name: impl Into<String>, op: Op, value: impl Into<String>) -> Result<Self, SyntaxError> {
        let (name, value) = (name.into(), value.into());
        if !is_label_name(&name) {
            return Err(SyntaxError::new(format!("{} is no name of a label", shown(&name))));
        }
        if value.len() > LONGEST {
            return Err(SyntaxError::new(format!("the value for {name} has {} bytes: at most {LONGEST}", value.len())));
        }
        if value.chars().any(is_unprintable) {
            return Err(SyntaxError::new(format!("the value for {name} has a control character")));
        }
        let regex = if op.is_regex() { Some(compile(&name, &value)?) } else { None };
        Ok(Self { name, op, value, regex })
    }

    /// The label that it asks about.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it compares.
    #[must_use]
    pub fn op(&self) -> Op {
        self.op
    }

    /// With what.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether the labels fit.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matches_value(labels.get(&self.name).unwrap_or_default())
    }

    /// Whether a value of its label fits.
    #[must_use]
    pub fn matches_value(&self, value: &str) -> bool {
        let fits = match &self.regex {
            Some(regex) => regex.is_match(value),
            None => self.value == value,
        };
        fits == self.op.is_equal()
    }
}

/// Whether the labels fit every matcher: an empty list fits all.
#[must_use]
pub fn all_match(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|matcher| matcher.matches(labels))
}

fn compile(name: &str, pattern: &str) -> Result<Regex, SyntaxError> {
    let build =
        |text: &str| RegexBuilder::new(text).size_limit(COMPILED).dfa_size_limit(COMPILED).nest_limit(50).build();
    // Alone first: `a)|(b` would only then be whole, and unanchored, between our brackets.
    let built = build(pattern).and_then(|_| build(&format!("^(?:{pattern})$")));
    built.map_err(|error| {
        let why = match error {
            regex::Error::CompiledTooBig(_) => "grows too large".to_owned(),
            error => error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
        };
        SyntaxError::new(format!("the expression for {name} cannot be used: {why}"))
    })
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl Eq for Matcher {}

/// As it is parsed: `team=~"db|infra"`.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, self.op.as_str())?;
        syntax::quote(&self.value, f)
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Matcher {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        syntax::parse_one(text)
    }
}

impl Serialize for Matcher {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Matcher {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
