//! Looking for faults in templates before they reach a person: all templates, all languages, each with its sample.
//!
//! 1. It loads: every include is there, everything parses, nothing is put into HTML unescaped.
//! 2. It fills strictly with its sample: a field that is used and absent is found.
//! 3. Every field of the sample is used, in words or in a chart: what is filled in and shown nowhere was probably meant to
//!    be shown.
//! 4. HTML in any field comes out escaped; there is a text part; no line is longer than SMTP carries; no picture or file is
//!    fetched from elsewhere.
//! 5. A translation has every word that English has, and no word is there for nothing.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::compose::words_used;
use super::source::{LAYOUT, Source};
use super::{Inlined, Parts, RenderError, Rendered, Renderer};
use crate::locale::Locale;

/// Octets of a line (RFC 5321 §4.5.3.1.6, without its end).
const MAX_LINE: usize = 998;
/// What would be taken for markup if it were not escaped.
const MARKUP: &str = "<i>&\"'";
/// How a document asks for something from elsewhere, whatever follows.
const REMOTE: [&str; 6] = ["url(", "<link", "@import", "<script", "<iframe", "srcset="];
/// Attributes that are fetched.
const FETCHED: [&str; 4] = ["src=", "background=", "poster=", "data="];

/// Something wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Where the file is, as a person finds it.
    pub file: String,
    /// The line in it, from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: String,
}

/// Checks all templates that [`Renderer::new`] would load. The second number is how many were looked at, each language
/// counted.
///
/// # Errors
/// [`RenderError::Override`] if the directory cannot be read. What is wrong with a template is a [`Finding`].
pub fn check(override_dir: Option<&Path>) -> Result<(Vec<Finding>, usize), RenderError> {
    let source = Source::load(override_dir)?;
    let mut checks = Checks { source: &source, found: BTreeSet::new() };
    let (mut renderer, mut inlined, mut looked_at) = (Renderer::empty(), Inlined::new(), 0);
    for name in source.templates() {
        for locale in source.locales(name) {
            let locale = Locale::or_english(Some(&locale));
            looked_at += 1;
            if let Err(error) = checks.one(&mut renderer, &mut inlined, name, &locale) {
                checks.refused(name, &locale, &error);
            }
        }
    }
    checks.layout_words();
    Ok((checks.found.into_iter().collect(), looked_at))
}

/// The line without blanks around `=`.
fn tight(line: &str) -> String {
    line.split('=').map(str::trim).collect::<Vec<_>>().join("=")
}

/// How a line (in lower case) asks for something from elsewhere.
fn asks(line: &str) -> Option<&'static str> {
    let attribute = FETCHED.into_iter().find(|attribute| {
        line.match_indices(attribute).any(|(at, _)| {
            let whole = line[..at].ends_with(|c: char| c.is_ascii_whitespace() || matches!(c, '"' | '\''));
            let value = line[at + attribute.len()..].trim_start_matches(['"', '\'']);
            whole && !value.starts_with("cid:")
        })
    });
    attribute.or_else(|| REMOTE.into_iter().find(|how| line.contains(how)))
}

/// Where a line (in lower case) puts a field to which escaping does not do what it does in text.
fn escapes(line: &str) -> Option<&'static str> {
    let handler = line.split_ascii_whitespace().any(|word| {
        let name = word.split_once('=').map(|(name, _)| name);
        name.is_some_and(|name| {
            name.len() > 3 && name.starts_with("on") && name.bytes().all(|b| b.is_ascii_lowercase())
        })
    });
    let styled = line.split("style=").skip(1).any(|rest| {
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        quote.is_some_and(|quote| rest[1..].split(quote).next().is_some_and(|value| value.contains("{{")))
    });
    if line.contains("={{") {
        Some("a field in an attribute without quotes: it could add attributes of its own")
    } else if handler {
        Some("an event handler: mails have no scripts")
    } else if styled {
        Some("a field in a style: it could fetch from elsewhere")
    } else {
        None
    }
}

struct Checks<'a> {
    source: &'a Source,
    found: BTreeSet<Finding>,
}

impl Checks<'_> {
    fn one(
        &mut self,
        renderer: &mut Renderer,
        inlined: &mut Inlined,
        name: &str,
        locale: &Locale,
    ) -> Result<(), RenderError> {
        let parts = Parts::compose(self.source, name, locale)?;
        renderer.load(self.source, name, locale, &parts, inlined)?;
        let sample = renderer.sample(name, locale).cloned().unwrap_or_default();
        let render = |data: &Value| renderer.render(name, locale, data);
        let rendered = match render(&sample) {
            Err(RenderError::MissingField { field, .. }) => {
                self.missing(&parts, name, &field);
                return Ok(());
            }
            other => other?,
        };
        self.content(&parts, name, &rendered);
        self.remote(&parts);
        let fills = |data: &Value| render(data).is_ok() && super::charts::check(data).is_ok();
        self.unused_fields(name, locale, &sample, &fills);
        let marked = render(&marked(&sample))?;
        if marked.html.contains("<i>") {
            self.add(&format!("{name}/body.html"), None, "HTML in a field comes out unescaped".to_owned());
        }
        self.words(name, locale, &parts);
        Ok(())
    }

    fn add(&mut self, path: &str, line: Option<usize>, problem: String) {
        self.found.insert(Finding { file: self.source.shown(path), line, problem });
    }

    fn refused(&mut self, name: &str, locale: &Locale, error: &RenderError) {
        match error {
            RenderError::Template { file, line, reason, .. } => {
                let there = [name, LAYOUT].map(|folder| format!("{folder}/{file}"));
                let there = there.into_iter().find(|path| self.source.text(path).is_some());
                let found = self.source.file(name, file, locale).map(|(path, _)| path);
                let path = there.or(found).unwrap_or_else(|| format!("{name}/{file}"));
                self.add(&path, *line, reason.clone());
            }
            other => self.add(&format!("{name}/body.html"), None, other.to_string()),
        }
    }

    /// A field that a file uses and the sample lacks.
    fn missing(&mut self, parts: &Parts, name: &str, field: &str) {
        let last = field.rsplit('.').next().unwrap_or(field);
        let used = parts.paths().into_iter().find_map(|path| {
            let line = self.source.text(path)?.lines().position(|line| uses(line, last))?;
            Some((path.to_owned(), line + 1))
        });
        let problem = format!("the field {field:?} is used here and absent from sample.json");
        match used {
            Some((path, line)) => self.add(&path, Some(line), problem),
            None => self.add(&format!("{name}/sample.json"), None, problem),
        }
    }

    fn content(&mut self, parts: &Parts, name: &str, rendered: &Rendered) {
        let own = |entry: &str| {
            let mut paths = parts.paths().into_iter();
            paths.find(|path| path.starts_with(&format!("{name}/{entry}"))).map(str::to_owned)
        };
        let body = own("body.txt").unwrap_or_else(|| format!("{name}/body.txt"));
        if rendered.subject.trim().is_empty() {
            self.add(&format!("{name}/subject.txt"), None, "the subject is empty".to_owned());
        }
        let said = self.source.text(&body).is_some_and(|text| !text.trim().is_empty());
        if !said || rendered.text.trim().is_empty() {
            self.add(&body, None, "the text part is empty".to_owned());
        }
        for (part, path) in [(&rendered.text, body), (&rendered.html, format!("{name}/body.html"))] {
            if let Some(line) = part.lines().find(|line| line.len() > MAX_LINE) {
                let begin: String = line.trim_start().chars().take(40).collect();
                self.add(&path, None, format!("a line has {} octets, more than {MAX_LINE}: {begin}…", line.len()));
            }
            if part.contains("{{") || part.contains("}}") {
                self.add(&path, None, "a tag is left in the mail".to_owned());
            }
        }
    }

    fn remote(&mut self, parts: &Parts) {
        let source = self.source;
        for path in parts.html.paths() {
            let text = source.text(path).unwrap_or_default();
            for (index, line) in text.lines().enumerate() {
                let lower = tight(&line.to_ascii_lowercase());
                if let Some(how) = asks(&lower) {
                    let problem = format!("{how}: nothing may be fetched from elsewhere; show pictures by cid:");
                    self.add(path, Some(index + 1), problem);
                }
                if let Some(why) = escapes(&lower) {
                    self.add(path, Some(index + 1), why.to_owned());
                }
                if lower.contains("<img") && !lower.contains("alt=") {
                    self.add(path, Some(index + 1), "a picture without alt text".to_owned());
                }
            }
        }
    }

    /// A field whose absence nobody notices is used by nobody.
    fn unused_fields(&mut self, name: &str, locale: &Locale, sample: &Value, fills: &impl Fn(&Value) -> bool) {
        let mut fields = BTreeSet::new();
        collect_fields(sample, String::new(), &mut fields);
        for field in fields {
            let mut data = sample.clone();
            remove(&mut data, &field);
            if !fills(&data) {
                continue;
            }
            let last = field.rsplit('.').next().unwrap_or(&field);
            let localised = format!("{name}/sample.{locale}.json");
            let path = [localised, format!("{name}/sample.json")]
                .into_iter()
                .find(|path| self.source.text(path).is_some_and(|text| text.contains(&format!("\"{last}\""))))
                .unwrap_or_else(|| format!("{name}/sample.json"));
            let text = self.source.text(&path).unwrap_or_default();
            let line = text.lines().position(|line| line.contains(&format!("\"{last}\""))).map(|at| at + 1);
            self.add(&path, line, format!("no part uses the field {field:?}"));
        }
    }

    /// The template's own words: used, and there in this language if they are there in English.
    fn words(&mut self, name: &str, locale: &Locale, parts: &Parts) {
        let english = self.source.object(name, &format!("{name}/words.json")).unwrap_or_default();
        let used: BTreeSet<&str> =
            [&parts.subject, &parts.text, &parts.html].into_iter().flat_map(|part| words_used(&part.text)).collect();
        for word in english.keys().filter(|word| !used.contains(word.as_str())) {
            let path = format!("{name}/words.json");
            self.add(&path, self.line_of(&path, word), format!("no part uses the word {word:?}"));
        }
        if locale.language() != "en" {
            self.translated(name, locale.language(), english.keys());
        }
    }

    fn layout_words(&mut self) {
        let english = self.source.object(LAYOUT, &format!("{LAYOUT}/words.json")).unwrap_or_default();
        let mut languages = BTreeSet::new();
        for name in self.source.templates() {
            languages.extend(self.source.locales(name));
        }
        for language in languages.iter().filter(|tag| *tag != "en" && !tag.contains('-')) {
            self.translated(LAYOUT, language, english.keys());
        }
    }

    fn translated<'w>(&mut self, folder: &str, language: &str, words: impl Iterator<Item = &'w String>) {
        let path = format!("{folder}/words.{language}.json");
        let there = self.source.object(folder, &path).unwrap_or_default();
        let mut all = BTreeSet::new();
        for word in words {
            all.insert(word.as_str());
            if !there.contains_key(word) {
                self.add(&path, None, format!("the word {word:?} is not translated"));
            }
        }
        for word in there.keys().filter(|word| !all.contains(word.as_str())) {
            self.add(&path, self.line_of(&path, word), format!("words.json does not have the word {word:?}"));
        }
    }

    fn line_of(&self, path: &str, word: &str) -> Option<usize> {
        let text = self.source.text(path)?;
        text.lines().position(|line| line.contains(&format!("\"{word}\""))).map(|at| at + 1)
    }
}

impl Parts {
    fn paths(&self) -> BTreeSet<&str> {
        [&self.subject, &self.text, &self.html].into_iter().flat_map(|part| part.paths()).collect()
    }
}

/// Whether a line has a tag that names the field.
fn uses(line: &str, field: &str) -> bool {
    line.split("{{")
        .skip(1)
        .filter_map(|rest| rest.split("}}").next())
        .any(|tag| tag.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == field))
}

/// The paths of all fields; those of a list's elements stand under `[]`.
fn collect_fields(value: &Value, path: String, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                collect_fields(value, format!("{path}{}{field}", if path.is_empty() { "" } else { "." }), into);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for item in items {
                collect_fields(item, format!("{path}.[]"), into);
            }
        }
        _ => {
            into.insert(path);
        }
    }
}

fn remove(value: &mut Value, path: &str) {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    match (value, rest) {
        (Value::Object(fields), None) => {
            fields.remove(first);
        }
        (Value::Object(fields), Some(rest)) => {
            if let Some(inner) = fields.get_mut(first) {
                remove(inner, rest);
            }
        }
        (Value::Array(items), Some(rest)) => items.iter_mut().for_each(|item| remove(item, rest)),
        _ => {}
    }
}

/// The sample with markup in every text.
fn marked(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields.iter().map(|(field, value)| (field.clone(), marked(value))).collect(),
        Value::Array(items) => items.iter().map(marked).collect(),
        Value::String(text) => json!(format!("{text}{MARKUP}")),
        other => other.clone(),
    }
}
