//! `default.toml` as the manual: finds the line that shows how a key is written, so that an error can quote it.

use crate::DEFAULT_TOML;

/// One key that `default.toml` teaches, live or commented out (`# key = value` for those without a default).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taught {
    /// Its table, dotted: `mail.senders.alerts`.
    pub(crate) table: String,
    /// The key in that table.
    pub(crate) key: String,
    /// The value as written.
    pub(crate) value: String,
    /// Whether prose stands above the key (or above its neighbour: a group may share one text).
    pub(crate) explained: bool,
}

/// Everything the file teaches, in its order.
pub(crate) fn taught() -> Vec<Taught> {
    let (mut table, mut explained, mut keys) = (String::new(), false, Vec::new());
    for line in DEFAULT_TOML.lines() {
        let bare = line.trim_start_matches("# ").trim();
        if let Some(name) = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            // The prose above a table explains the keys that follow its head without a gap.
            // Of a list of tables (`[[alerts.routes]]`) each is taught alike.
            table = name.trim_matches(['[', ']']).to_owned();
        } else if let Some((key, value)) = assignment(bare) {
            keys.push(Taught { table: table.clone(), key: key.to_owned(), value: value.to_owned(), explained });
        } else if line.starts_with('#') {
            explained = true;
        } else if line.trim().is_empty() {
            explained = false;
        }
    }
    keys
}

/// `key = value` with a bare key; prose that holds an equals sign is not one.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(" = ")?;
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    bare.then_some((key, value))
}

/// How the key at `path` is written, in both ways: `lease = "15s" under [queue], or POSTRIDER__QUEUE__LEASE=15s`.
pub(crate) fn example(path: &[String]) -> Option<String> {
    let (key, table) = path.split_last()?;
    let named_freely = table.iter().map(String::as_str).eq(["secrets", "keys"]);
    let plain_table: Vec<String> = table.iter().map(|part| without_index(part).to_owned()).collect();
    let in_a_list = plain_table != table;
    // Routes within routes are taught by the first of them.
    let plain_table = match plain_table.split_first() {
        Some((alerts, parts)) if alerts == "alerts" && parts.iter().all(|part| part == "routes") && in_a_list => {
            vec!["alerts".to_owned(), "routes".to_owned()]
        }
        _ => plain_table,
    };
    let lesson =
        taught().into_iter().find(|t| (named_freely || t.key == *key) && same_table(&t.table, &plain_table))?;
    if in_a_list {
        return Some(format!("{key} = {} under [[{}]]", lesson.value, plain_table.join(".")));
    }
    let name = path.join("__").to_uppercase();
    let quotes: &[char] = if lesson.value.starts_with('[') { &['[', ']', '"', ' '] } else { &[] };
    let plain = lesson.value.replace(quotes, "");
    let plain = plain.trim_matches('"');
    Some(format!("{key} = {} under [{}], or {}{name}={plain}", lesson.value, table.join("."), crate::ENV_PREFIX))
}

/// `routes[2]` is one of `routes`.
pub(crate) fn without_index(part: &str) -> &str {
    part.split('[').next().unwrap_or(part)
}

/// Tables whose last part is a free name stand for each other: `mail.senders.alerts` teaches `mail.senders.invoices`.
fn same_table(taught: &str, asked: &[String]) -> bool {
    let parts: Vec<&str> = taught.split('.').collect();
    let free = |i: usize| {
        matches!(
            &parts[..i],
            ["queues" | "schedules" | "heartbeats"] | ["mail", "senders" | "dkim"] | ["alerts", "receivers"]
        )
    };
    parts.len() == asked.len() && parts.iter().zip(asked).enumerate().all(|(i, (a, b))| a == b || free(i))
}

#[cfg(test)]
mod tests {
    use super::{example, taught};
    use crate::{Config, ConfigError};

    #[test]
    fn every_key_is_explained() {
        let silent: Vec<_> = taught()
            .into_iter()
            .filter(|t| !t.explained && !in_a_family(&t.table))
            .map(|t| format!("{}.{}", t.table, t.key))
            .collect();
        assert_eq!(silent, Vec::<String>::new());
    }

    /// The tables of a map share the text above the first of them.
    fn in_a_family(table: &str) -> bool {
        let families = ["queues.", "schedules.", "heartbeats.", "mail.senders.", "mail.dkim."];
        families.iter().chain(&["alerts.receivers.", "alerts.routes", "alerts.inhibit"]).any(|f| table.starts_with(f))
    }

    #[test]
    fn every_key_of_the_types_is_taught() {
        let sections = [
            "api",
            "api.rate_limit",
            "queue",
            "queue.retention",
            "queue.redis",
            "queues.bookings",
            "worker",
            "store",
            "ledger",
            "ledger.retention",
            "scheduler",
            "schedules.nightly_export",
            "mail",
            "mail.timeouts",
            "mail.dns",
            "mail.senders.bookings",
            "mail.dkim.main",
            "secrets",
            "alerts",
            "alerts.storm",
            "alerts.cap",
            "alerts.receivers.on_call",
            "heartbeats.nightly_backup",
            "outbound",
            "search.report",
            "debug",
            "telemetry",
        ];
        for section in sections {
            let name = format!("POSTRIDER__{}__NO_SUCH_KEY", section.replace('.', "__").to_uppercase());
            let Err(ConfigError::Keys(problems)) = Config::load(None, [(name, "1".to_owned())]) else {
                panic!("{section} takes any key");
            };
            let (_, known) = problems[0].reason.split_once("there are: ").expect("the message lists the keys");
            for key in known.split(", ") {
                let table: Vec<String> = section.split('.').map(str::to_owned).collect();
                let is_section = taught().iter().any(|t| t.table.starts_with(&format!("{section}.{key}")));
                let path = [table.as_slice(), &[key.to_owned()]].concat();
                assert!(is_section || example(&path).is_some(), "default.toml does not teach {section}.{key}");
            }
        }
    }

    #[test]
    fn an_example_fits_a_further_table_of_a_map() {
        let path = ["mail", "senders", "invoices", "class"].map(str::to_owned);
        let text = example(&path).expect("class is taught");
        assert!(text.contains("[mail.senders.invoices]"), "{text}");
        assert!(text.contains("POSTRIDER__MAIL__SENDERS__INVOICES__CLASS=booking"), "{text}");
    }
}
