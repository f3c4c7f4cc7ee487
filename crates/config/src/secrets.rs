//! `[secrets]`: the keys that seal what nobody may read in the store, and sign what nobody may forge.

use std::collections::BTreeMap;
use std::path::PathBuf;

use figment::providers::{Format, Toml};
use figment::value::Dict;
use serde::Deserialize;

use crate::check::Check;
use crate::error::{ConfigError, Problem};
use crate::secret::Secret;

/// Keys by id. The same in every process of an installation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// The id of the key that seals and signs; none: the id that sorts last.
    #[serde(default)]
    pub current: Option<String>,
    /// A file of further keys, one `id = "key"` a line.
    #[serde(default)]
    pub keys_file: Option<PathBuf>,
    /// 256 bits each, in hexadecimal or base64. All of them open and verify.
    #[serde(default)]
    pub keys: BTreeMap<String, Secret>,
}

const KEY: &str = "must be 256 random bits in hexadecimal or base64: `postrider secrets new` prints one";

impl Secrets {
    /// Whether any key is named.
    #[must_use]
    pub fn is_set(&self) -> bool {
        !self.keys.is_empty() || self.keys_file.is_some()
    }

    /// All keys by id: those of `keys`, and those of `keys_file`.
    ///
    /// # Errors
    /// [`ConfigError`]: the file cannot be read, is not of its form, or names an id once more.
    pub fn load(&self) -> Result<BTreeMap<String, Secret>, ConfigError> {
        let mut keys = self.keys.clone();
        let Some(path) = &self.keys_file else { return Ok(keys) };
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::File { path: path.clone(), source })?;
        // The parser's own message would quote the line, and the key in it.
        let read: Dict = Toml::from_str(&text).map_err(|_| ConfigError::Syntax {
            path: path.clone(),
            message: "one `id = \"key\"` a line is expected".to_owned(),
        })?;
        let mut check = Check::default();
        check.section("secrets.keys_file");
        for (id, value) in read {
            let key = value.as_str().unwrap_or_default().to_owned();
            check_key(&id, &key, &mut check);
            check.that(!keys.contains_key(&id), &id, "is in secrets.keys too");
            keys.insert(id, Secret::from(key));
        }
        check.that(!keys.is_empty(), "keys", "there is no key in the file");
        if let Some(current) = &self.current {
            check.that(
                keys.contains_key(current),
                "current",
                format!("secrets.current = {current:?} is not among them"),
            );
        }
        let problems = check.into_problems();
        if problems.is_empty() { Ok(keys) } else { Err(ConfigError::Keys(told_of(problems, path))) }
    }

    /// `mail_leaves`: whether a relay is configured.
    pub(crate) fn validate(&self, mail_leaves: bool, check: &mut Check) {
        check.that(
            !mail_leaves || self.is_set(),
            "keys",
            "must hold a key, since mail.transport is set: `postrider secrets new` prints one",
        );
        for (id, key) in &self.keys {
            check_key(&format!("keys.{id}"), key.expose(), check);
        }
        if let (Some(current), None) = (&self.current, &self.keys_file) {
            check.that(self.keys.contains_key(current), "current", "must be the id of one of secrets.keys");
        }
    }
}

fn check_key(at: &str, key: &str, check: &mut Check) {
    let id = at.rsplit('.').next().unwrap_or(at);
    let plain = id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
    check.that(plain && (1..=32).contains(&id.len()), at, "must have an id of 1 to 32 of a-z, 0-9, _ and -");
    let key = key.trim();
    let hex = key.len() == 64 && key.bytes().all(|b| b.is_ascii_hexdigit());
    let bare = key.strip_suffix('=').unwrap_or(key);
    let base64 = bare.len() == 43 && bare.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/-_".contains(&b));
    let random = key.bytes().any(|b| Some(&b) != bare.as_bytes().first() && b != b'=');
    check.that((hex || base64) && random, at, KEY);
}

fn told_of(problems: Vec<Problem>, path: &std::path::Path) -> Vec<Problem> {
    let set_by = format!("the file {}", path.display());
    problems.into_iter().map(|problem| Problem { set_by: Some(set_by.clone()), ..problem }).collect()
}
