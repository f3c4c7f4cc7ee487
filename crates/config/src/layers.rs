//! Lays the sources over each other and turns what serde or a section finds into errors that name key and source.
//!
//! Every environment variable is a layer of its own, so that an error can name the variable. Its text stays text until a
//! field asks for a number or a switch: `POSTRIDER__QUEUE__PREFIX=123` is the prefix "123".

use std::path::Path;

use figment::error::{Actual, Error as FigmentError, Kind};
use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use crate::error::{ConfigError, Problem};
use crate::queue_url::QueueUrl;
use crate::secret::mask_urls;
use crate::store::StoreUrl;
use crate::{Config, DEFAULT_TOML, DEV_DOMAIN, DEV_SELECTOR, ENV_PREFIX, guide};

/// What lies between the defaults and the file.
pub(crate) enum Overlay<'a> {
    None,
    /// `postrider dev`, with its data folder.
    Dev(&'a Path),
}

/// One source and its name.
struct Layer {
    name: String,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, FigmentError> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}

pub(crate) fn load(
    overlay: Overlay<'_>,
    file: Option<&Path>,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let defaults = Toml::from_str(DEFAULT_TOML).expect("default.toml is compiled in and a test reads it");
    let mut figment = Figment::new().merge(Layer { name: "the defaults".to_owned(), values: defaults });
    if let Overlay::Dev(data_dir) = overlay {
        for (path, value) in dev_values(data_dir) {
            figment = figment.merge(Layer { name: "postrider dev".to_owned(), values: nested(&path, value) });
        }
    }
    if let Some(path) = file {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::File { path: path.to_owned(), source })?;
        let values =
            Toml::from_str(&text).map_err(|e| ConfigError::Syntax { path: path.to_owned(), message: e.to_string() })?;
        figment = figment.merge(Layer { name: format!("configuration file {}", path.display()), values });
    }
    let (mut env, others): (Vec<_>, Vec<_>) = env.into_iter().partition(|(name, _)| name.starts_with(ENV_PREFIX));
    let misspelt = others.into_iter().filter(|(name, _)| misspelt(name)).map(|(name, _)| Problem {
        set_by: Some(format!("environment variable {name}")),
        ..Problem::new(
            name,
            "is not read: write POSTRIDER__SECTION__KEY, in capitals, with two underscores between the parts",
        )
    });
    let misspelt: Vec<Problem> = misspelt.collect();
    if !misspelt.is_empty() {
        return Err(ConfigError::Keys(misspelt));
    }
    env.sort();
    for (name, value) in env {
        let path: Vec<String> = name[ENV_PREFIX.len()..].split("__").map(str::to_lowercase).collect();
        let layer = format!("environment variable {name}");
        if path.len() < 2 || path.iter().any(String::is_empty) {
            let mut problem = Problem::new(path.join("."), "is not a key: write POSTRIDER__SECTION__KEY");
            problem.set_by = Some(layer);
            return Err(ConfigError::Keys(vec![problem]));
        }
        figment = figment.merge(Layer { name: layer, values: nested(&path, Value::from(value)) });
    }

    let config: Config = figment
        .extract_lossy()
        .map_err(|error| ConfigError::Keys(error.into_iter().map(|e| from_serde(&figment, e)).collect()))?;
    let mut problems = config.problems();
    if let Overlay::Dev(_) = overlay {
        problems.extend(outside(&config));
    }
    if problems.is_empty() {
        return Ok(config);
    }
    Err(ConfigError::Keys(problems.into_iter().map(|p| locate(&figment, p)).collect()))
}

/// What leads out of the data folder of `dev`: a key that everybody knows and kinds that end processes must not meet a queue
/// or a store in earnest use, only because a shell still has its address.
fn outside(config: &Config) -> Vec<Problem> {
    const REASON: &str = "must be an SQLite file: `dev` keeps everything in its data folder";
    let mut found = Vec::new();
    if matches!(config.queue.url, QueueUrl::Redis(_)) {
        found.push(Problem::new("queue.url", REASON));
    }
    if matches!(config.store.url, StoreUrl::Postgres(_)) {
        found.push(Problem::new("store.url", REASON));
    }
    found
}

/// A variable that was meant for us and is misspelt: it would be passed over in silence.
fn misspelt(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    !name.starts_with(ENV_PREFIX)
        && upper.strip_prefix("POSTRIDER_").is_some_and(|rest| rest.contains("__") || rest.starts_with('_'))
}

/// What `postrider dev` sets; everything else keeps its default.
fn dev_values(data_dir: &Path) -> Vec<(Vec<String>, Value)> {
    let file = |name: &str| data_dir.join(name).to_string_lossy().into_owned();
    let text = |key: &'static str, value: String| (key, Value::from(value));
    let values = [
        text("queue.url", format!("sqlite:{}", file("queue.db"))),
        text("store.url", format!("sqlite:{}", file("store.db"))),
        text("mail.domain", DEV_DOMAIN.to_owned()),
        text("mail.egress", "127.0.0.1".to_owned()),
        text("mail.helo", format!("mail.{DEV_DOMAIN}")),
        text("mail.dkim.main.selector", DEV_SELECTOR.to_owned()),
        text("mail.dkim.main.key_file", file("dkim.pem")),
        text("secrets.keys_file", file("secrets.toml")),
        ("debug.kinds", Value::from(true)),
    ];
    values.into_iter().map(|(key, value)| (key.split('.').map(str::to_owned).collect(), value)).collect()
}

/// `["a", "b"]` and a value as `{a: {b: value}}`.
fn nested(path: &[String], value: Value) -> Dict {
    let (last, parents) = path.split_last().expect("a key has at least one part");
    let innermost = Dict::from([(last.clone(), value)]);
    parents.iter().rev().fold(innermost, |dict, part| Dict::from([(part.clone(), Value::from(dict))]))
}

fn from_serde(figment: &Figment, error: FigmentError) -> Problem {
    let mut path = indexed(&error.path);
    let reason = match error.kind {
        Kind::UnknownField(field, known) => {
            if path.last() != Some(&field) {
                path.push(field);
            }
            let known = known.join(", ");
            let mut problem = Problem::new(path.join("."), format!("there is no such key; here there are: {known}"));
            problem.set_by = error.metadata.map(|m| m.name.into_owned());
            return problem;
        }
        Kind::MissingField(field) => {
            path.push(field.into_owned());
            "must be set".to_owned()
        }
        Kind::Message(reason) => reason,
        Kind::InvalidType(Actual::Map, _) => "is a section, not a value".to_owned(),
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => {
            format!("must be {}", in_words(&expected))
        }
        Kind::UnknownVariant(_, known) => format!("must be one of {}", known.join(", ")),
        other => other.to_string(),
    };
    let mut problem = Problem::new(path.join("."), reason);
    problem.set_by = error.metadata.map(|m| m.name.into_owned());
    locate(figment, problem)
}

/// `routes.0.receiver` of a list of tables, as it is shown: `routes[0].receiver`.
fn indexed(path: &[String]) -> Vec<String> {
    let mut shown: Vec<String> = Vec::new();
    for part in path {
        match shown.last_mut() {
            Some(last) if path[0] == "alerts" && part.bytes().all(|b| b.is_ascii_digit()) => {
                last.push_str(&format!("[{part}]"));
            }
            _ => shown.push(part.clone()),
        }
    }
    shown
}

/// Adds value, source and example to a problem that knows its key.
fn locate(figment: &Figment, mut problem: Problem) -> Problem {
    let path: Vec<String> = problem.key.split('.').map(str::to_owned).collect();
    problem.value = figment.find_value(&problem.key).ok().and_then(|value| shown(&path, &value));
    if problem.set_by.is_none() {
        // Of a list of tables only the whole knows where it was set.
        let listed = path.iter().position(|part| part.contains('['));
        let whole = listed.map(|at| [&path[..at], &[guide::without_index(&path[at]).to_owned()]].concat().join("."));
        problem.set_by = figment.find_metadata(whole.as_ref().unwrap_or(&problem.key)).map(|m| m.name.to_string());
    }
    problem.example = guide::example(&path);
    problem
}

fn shown(path: &[String], value: &Value) -> Option<String> {
    let secret = path
        .last()
        .is_some_and(|key| key.contains("password") || key.contains("secret") || key == "webhook" || key == "slack")
        || matches!(path, [section, map, _] if section == "secrets" && map == "keys");
    match value {
        _ if secret => Some("[secret]".to_owned()),
        Value::String(_, text) => Some(format!("{:?}", mask_urls(text))),
        Value::Char(_, c) => Some(format!("{c:?}")),
        Value::Bool(_, b) => Some(b.to_string()),
        Value::Num(_, n) => n.to_i128().map(|i| i.to_string()).or_else(|| n.to_f64().map(|f| f.to_string())),
        Value::Empty(..) | Value::Dict(..) | Value::Array(..) => None,
    }
}

/// Rust's names of numbers mean nothing to an operator.
fn in_words(expected: &str) -> String {
    match expected {
        "u16" | "u32" | "u64" | "usize" | "i64" => "a whole number, not negative".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a string" => "a text".to_owned(),
        "socket address" => "an address and a port".to_owned(),
        struct_name if struct_name.starts_with("struct ") => "a section with keys of its own".to_owned(),
        other => other.to_owned(),
    }
}
