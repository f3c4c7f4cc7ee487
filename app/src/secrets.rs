//! From the configuration to the ring of keys that seals and signs.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use config::Config;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use secrets::{KeyId, Keyring, RootKey};

use crate::commands::Usage;

/// The ring of `[secrets]`; `None` where no key is set.
pub fn keyring(config: &Config) -> anyhow::Result<Option<Arc<Keyring>>> {
    let secrets = &config.secrets;
    if !secrets.is_set() {
        return Ok(None);
    }
    let usage = |key: &str, reason: String| Usage(format!("the configuration cannot be used\n  {key}: {reason}"));
    let mut keys = Vec::new();
    for (name, text) in secrets.load()? {
        let at = format!("secrets.keys.{name}");
        let id = KeyId::new(&name).map_err(|e| usage(&at, e.to_string()))?;
        let key = RootKey::parse(text.expose()).map_err(|e| usage(&at, e.to_string()))?;
        keys.push((id, key));
    }
    let current = secrets.current.as_deref().map(KeyId::new).transpose();
    let current = current.map_err(|e| usage("secrets.current", e.to_string()))?;
    let ring = Keyring::new(keys, current.as_ref()).map_err(|e| usage("secrets", e.to_string()))?;
    Ok(Some(Arc::new(ring)))
}

/// A line for `[secrets.keys]`, with a key that nobody has yet: `k20261124 = "…"`.
pub fn new_line(id: &KeyId) -> String {
    format!("{id} = \"{}\"\n", RootKey::generate().expose_secret())
}

/// An id that says when the key was made.
pub fn id_of_day(now: Timestamp) -> KeyId {
    KeyId::new(&now.strftime("k%Y%m%d").to_string()).expect("letters and digits")
}

/// The keys of `postrider dev`: made at the first start and kept, for their owner only.
pub fn dev_keys(config: &Config, now: Timestamp) -> anyhow::Result<()> {
    match &config.secrets.keys_file {
        Some(path) if !path.exists() => {
            let text = format!(
                "# Made by `postrider dev`. What is sealed with it in store.db is lost without it.\n{}",
                new_line(&id_of_day(now))
            );
            private(path, text.as_bytes()).with_context(|| format!("the keys {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Writes a file that only its owner can read; under another name first, so that a start that is cut short leaves no half
/// of one.
pub fn private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    match std::fs::remove_file(&new) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&new, path)
}
