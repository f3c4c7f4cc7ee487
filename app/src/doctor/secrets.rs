//! The keys that seal and sign: whether there are any, whether they can be read, and by whom.

use std::os::unix::fs::PermissionsExt;

use ::config::Config;

use super::Report;
use crate::secrets::keyring;

/// Looks at `[secrets]`. `dev` makes its own file at its first start.
pub fn check(report: &mut Report, config: &Config, dev: bool) {
    let secrets = &config.secrets;
    if dev && secrets.keys.is_empty() && secrets.keys_file.as_ref().is_some_and(|file| !file.exists()) {
        return report.ok("mail", "secrets", "made by the first `postrider dev`");
    }
    match keyring(config) {
        Ok(Some(ring)) => {
            let ids: Vec<&str> = ring.ids().map(secrets_id).collect();
            report.ok("mail", "secrets", format!("{} seals and signs; known are {}", ring.current(), ids.join(", ")));
        }
        Ok(None) => report.warn(
            "mail",
            "secrets",
            "none is set: POST /v1/emails, bounces and unsubscribe links do not work",
            "`postrider secrets new` prints one for [secrets.keys]; the API and all workers need the same",
        ),
        Err(e) => report.fail("mail", "secrets", format!("{e:#}"), "put it right, the same in every process"),
    }
    if let Some(file) = &secrets.keys_file
        && let Ok(meta) = std::fs::metadata(file)
        && meta.permissions().mode() & 0o077 != 0
    {
        let shown = file.display();
        let found =
            format!("{shown} can be read by others than its owner (mode {:o})", meta.permissions().mode() & 0o777);
        report.warn(
            "mail",
            "secrets file",
            found,
            format!("chmod 600 {shown}: who has the keys can open what is sealed"),
        );
    }
}

fn secrets_id(id: &::secrets::KeyId) -> &str {
    id.as_str()
}
