//! Templates: from a name, a language and data to subject, text and HTML.
//!
//! A template is a folder: `subject.txt.hbs`, `body.txt.hbs`, `body.html.hbs`, any number of fragments of its own, and
//! `sample.json`, data with which it can be shown and tested. Folders that start with `_` are no templates: `_layout`
//! has the frame and the fragments that all share. The folder `email_templates` is compiled in; a file of the same path in the
//! override directory takes its place, and a new folder there is a new template.
//!
//! What is said differently in another language stands in `words.json` and `words.de.json`; a whole file can have a
//! translation beside it too (`body.de.html.hbs`). A reader gets the template in the language that was asked for, or in a
//! wider one, or in English ([`Locale::fallbacks`]).
//!
//! At start, once:
//! 1. Each body is put into its layout, as text: `{{> name}}` is replaced by the file `name.hbs`, looked for in the
//!    template's folder first and in `_layout` then.
//! 2. The CSS of the composed HTML is moved onto its elements, for the mail programs that ignore style sheets.
//! 3. The words of each language are put in, and Handlebars parses the result. A template that cannot be parsed stops the
//!    start, not the first mail.
//!
//! At every mail, data is filled in strictly: **a field that is missing is an error**, in `{{#if}}` as anywhere else. An
//! optional field is there as `null`, so a misspelt name in a template or in code cannot quietly leave something out. Data of
//! another shape than the sample's is one too: an object where a name is shown would be `[object]` to its reader.
//! HTML is escaped and cannot be asked not to be; text and subject are not escaped; a subject with a line break is
//! refused, for it would start a header.

mod charts;
mod check;
mod compose;
mod fits;
mod inline;
mod preview;
mod source;
mod strict;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use handlebars::{Handlebars, RenderErrorReason};
use serde_json::Value;

pub use charts::check as check_charts;
pub use check::{Finding, check};
use compose::Composed;
pub use fits::Misfit;
use fits::Uses;
use source::Source;

use crate::locale::Locale;
use crate::message::Attachment;

/// Why a template cannot be loaded or filled. Always permanent: the same data fails again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// No folder of that name.
    #[error("there is no template {0:?}")]
    UnknownTemplate(String),
    /// The data lacks a field that the template uses.
    #[error("template {template}: the field {field:?} is missing")]
    MissingField {
        /// The template's name.
        template: String,
        /// The path of the field, as `student.name`.
        field: String,
    },
    /// The data has an object or a list where the template shows a text, or the other way round.
    #[error("template {template}, field {field:?}: {why}")]
    Shape {
        /// The template's name.
        template: String,
        /// The path of the field, as `student.name`; empty: the data as a whole.
        field: String,
        /// What is expected there.
        why: &'static str,
    },
    /// The subject would have had a line break or another control character.
    #[error("template {template}: the subject has a line break or a control character")]
    SubjectLineBreak {
        /// The template's name.
        template: String,
    },
    /// A file of the template is missing, does not parse, or uses what is not allowed. Found at start.
    #[error("template {template}, {file}{}: {reason}", .line.map(|line| format!(":{line}")).unwrap_or_default())]
    Template {
        /// The template's name.
        template: String,
        /// The file, as `body.html`.
        file: String,
        /// The line, from 1.
        line: Option<usize>,
        /// What is wrong.
        reason: String,
    },
    /// Filling in failed for another reason.
    #[error("template {template}: {reason}")]
    Fill {
        /// The template's name.
        template: String,
        /// What handlebars says.
        reason: String,
    },
    /// The override directory cannot be read.
    #[error("{path}: {source}")]
    Override {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What a mail says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    /// The plain text part; lines end with LF.
    pub text: String,
    /// The HTML part, CSS inlined; lines end with LF.
    pub html: String,
}

/// All templates, parsed. Make it once and share it; rendering takes `&self`.
pub struct Renderer {
    html: Handlebars<'static>,
    text: Handlebars<'static>,
    templates: BTreeMap<String, Template>,
}

/// What is known of a template beside its text.
struct Template {
    /// Sample data, by the languages that the template is there in.
    samples: BTreeMap<String, Value>,
    /// The files that the sample shows.
    files: Vec<Attachment>,
    /// All pictures of the sample, drawn when they are first asked for.
    pictures: OnceLock<Vec<Attachment>>,
    /// How its parts use its fields.
    uses: Uses,
}

/// The parts of a template in one language, put together.
struct Parts {
    subject: Composed,
    text: Composed,
    html: Composed,
}

impl Parts {
    fn compose(source: &Source, name: &str, locale: &Locale) -> Result<Self, RenderError> {
        Ok(Self {
            subject: compose::compose(source, name, "subject.txt", locale)?,
            text: compose::compose(source, name, "layout.txt", locale)?,
            html: compose::compose(source, name, "layout.html", locale)?,
        })
    }
}

/// Documents whose CSS was inlined, by what they were before: the languages of a template share theirs.
type Inlined = HashMap<String, String>;

impl Renderer {
    /// Loads the templates that are compiled in and, over them, those in `override_dir`.
    ///
    /// # Errors
    /// [`RenderError::Template`] or [`RenderError::Override`], naming the file.
    pub fn new(override_dir: Option<&Path>) -> Result<Self, RenderError> {
        let source = Source::load(override_dir)?;
        let mut renderer = Self::empty();
        let mut inlined = Inlined::new();
        for name in source.templates() {
            for locale in source.locales(name) {
                let locale = Locale::or_english(Some(&locale));
                let parts = Parts::compose(&source, name, &locale)?;
                renderer.load(&source, name, &locale, &parts, &mut inlined)?;
            }
        }
        Ok(renderer)
    }

    fn empty() -> Self {
        Self {
            html: strict::registry(escaped),
            text: strict::registry(handlebars::no_escape),
            templates: BTreeMap::new(),
        }
    }

    fn load(
        &mut self,
        source: &Source,
        name: &str,
        locale: &Locale,
        parts: &Parts,
        inlined: &mut Inlined,
    ) -> Result<(), RenderError> {
        let wrong = |file: &str, line: Option<usize>, reason: String| RenderError::Template {
            template: name.to_owned(),
            file: file.to_owned(),
            line,
            reason,
        };
        let at = |part: &Composed, entry: &str, line: Option<usize>, reason: String| match line
            .and_then(|line| part.origin(line))
        {
            Some((path, line)) => wrong(file_name(path), Some(line), reason),
            None => wrong(entry, None, reason),
        };
        let words = source.words(name, locale)?;
        let sample = source.sample(name, locale)?;
        let sample = sample.ok_or_else(|| wrong("sample.json", None, "is missing".to_owned()))?;
        charts::check(&sample).map_err(|reason| wrong("sample.json", None, reason))?;

        for (part, entry, key) in
            [(&parts.subject, "subject.txt", subject_key(name, locale)), (&parts.text, "body.txt", key(name, locale))]
        {
            let text = compose::fill_words(&part.text, &words, false).map_err(|reason| wrong(entry, None, reason))?;
            let text = if entry == "subject.txt" { text.trim() } else { text.as_str() };
            self.text
                .register_template_string(&key, text)
                .map_err(|error| at(part, entry, error.pos().map(|(line, _)| line), error.reason().to_string()))?;
        }
        let part = &parts.html;
        compose::refuse_raw_output(&part.text).map_err(|(line, reason)| at(part, "body.html", Some(line), reason))?;
        handlebars::Template::compile(&part.text)
            .map_err(|error| at(part, "body.html", error.pos().map(|(line, _)| line), error.reason().to_string()))?;
        if !inlined.contains_key(&part.text) {
            let html = inline::inline(&part.text).map_err(|reason| wrong("body.html", None, reason))?;
            inlined.insert(part.text.clone(), html);
        }
        let html = compose::fill_words(&inlined[&part.text], &words, true)
            .map_err(|reason| wrong("body.html", None, reason))?;
        self.html
            .register_template_string(&key(name, locale), html)
            .map_err(|error| wrong("body.html", None, error.to_string()))?;

        if !self.templates.contains_key(name) {
            let files = source.pictures(name).map(|(id, bytes)| {
                Attachment::inline(id, &format!("{id}.png"), "image/png", bytes.to_vec())
                    .map_err(|error| wrong(&format!("{id}.png"), None, error.to_string()))
            });
            let files = files.collect::<Result<_, _>>()?;
            let template =
                Template { samples: BTreeMap::new(), files, pictures: OnceLock::new(), uses: Uses::default() };
            self.templates.insert(name.to_owned(), template);
        }
        if let Some(template) = self.templates.get_mut(name) {
            template.samples.insert(locale.as_str().to_owned(), sample);
            for part in [&parts.subject, &parts.text, &parts.html] {
                template.uses.read(&part.text);
            }
        }
        Ok(())
    }

    /// Fills template `name` with `data`, in the language that comes closest to `locale`.
    ///
    /// # Errors
    /// [`RenderError::UnknownTemplate`], [`RenderError::MissingField`], [`RenderError::Shape`],
    /// [`RenderError::SubjectLineBreak`], [`RenderError::Fill`].
    pub fn render(&self, name: &str, locale: &Locale, data: &Value) -> Result<Rendered, RenderError> {
        let locale = self.spoken(name, locale)?;
        if let Some(Misfit { field, why, .. }) = self.misfits(name, data).into_iter().find(|misfit| misfit.is_shape) {
            return Err(RenderError::Shape { template: name.to_owned(), field, why });
        }
        let filled = |error: handlebars::RenderError| fill_error(name, &error);
        let data = handlebars::Context::wraps(data).map_err(filled)?;
        let fill = |registry: &Handlebars<'_>, key: &str| registry.render_with_context(key, &data).map_err(filled);
        let subject = fill(&self.text, &subject_key(name, &locale))?;
        if subject.chars().any(char::is_control) {
            return Err(RenderError::SubjectLineBreak { template: name.to_owned() });
        }
        let key = key(name, &locale);
        Ok(Rendered { subject, text: fill(&self.text, &key)?, html: fill(&self.html, &key)? })
    }

    /// What of `data`, which comes from outside, does not fit template `name`; empty for an unknown template, which
    /// [`Renderer::render`] tells.
    #[must_use]
    pub fn misfits(&self, name: &str, data: &Value) -> Vec<Misfit> {
        let sample = self.sample(name, &Locale::or_english(None));
        let template = self.templates.get(name).zip(sample);
        template.map_or_else(Vec::new, |(template, sample)| template.uses.misfits(sample, data))
    }

    /// The language in which a reader of `locale` gets template `name`.
    ///
    /// # Errors
    /// [`RenderError::UnknownTemplate`].
    pub fn spoken(&self, name: &str, locale: &Locale) -> Result<Locale, RenderError> {
        let template = self.templates.get(name).ok_or_else(|| RenderError::UnknownTemplate(name.to_owned()))?;
        let found = locale.fallbacks().find(|tag| template.samples.contains_key(*tag));
        Ok(Locale::or_english(found))
    }

    /// The names of all templates, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.templates.keys().map(String::as_str).collect()
    }

    /// The languages that a template is there in, sorted; empty for an unknown template.
    #[must_use]
    pub fn locales(&self, name: &str) -> Vec<&str> {
        self.templates.get(name).into_iter().flat_map(|template| template.samples.keys()).map(String::as_str).collect()
    }

    /// The sample data of a template, in the language that comes closest to `locale`.
    #[must_use]
    pub fn sample(&self, name: &str, locale: &Locale) -> Option<&Value> {
        let samples = &self.templates.get(name)?.samples;
        locale.fallbacks().find_map(|tag| samples.get(tag))
    }

    /// The pictures that a template's sample shows: its charts, and its folder's `.png` files, each under its name as
    /// content id.
    #[must_use]
    pub fn pictures(&self, name: &str) -> &[Attachment] {
        let Some(template) = self.templates.get(name) else { return &[] };
        template.pictures.get_or_init(|| {
            let sample = self.sample(name, &Locale::english()).unwrap_or(&Value::Null);
            // They were read when the template was loaded: drawing cannot fail.
            let drawn = self.charts(name, sample).unwrap_or_default();
            template.files.iter().cloned().chain(drawn).collect()
        })
    }
}

fn key(name: &str, locale: &Locale) -> String {
    format!("{name}@{locale}")
}

fn subject_key(name: &str, locale: &Locale) -> String {
    format!("{name}@{locale}:subject")
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn fill_error(template: &str, error: &handlebars::RenderError) -> RenderError {
    let template = template.to_owned();
    match error.reason() {
        RenderErrorReason::MissingVariable(field) => {
            let field = field.clone().unwrap_or_default();
            RenderError::MissingField { template, field: field.trim_start_matches("this.").to_owned() }
        }
        reason => RenderError::Fill { template, reason: reason.to_string() },
    }
}

/// Text for HTML. A span of numbers (`17:00–18:00`) is kept on one line: a word joiner stands on both sides of its dash.
fn escaped(text: &str) -> String {
    let escaped = handlebars::html_escape(text);
    if !escaped.contains('–') {
        return escaped;
    }
    let mut out = String::with_capacity(escaped.len() + 16);
    let mut before = None;
    let mut chars = escaped.chars().peekable();
    while let Some(c) = chars.next() {
        let is_digit = |c: &char| c.is_ascii_digit();
        match c == '–' && before.as_ref().is_some_and(is_digit) && chars.peek().is_some_and(is_digit) {
            true => out.push_str("&#8288;–&#8288;"),
            false => out.push(c),
        }
        before = Some(c);
    }
    out
}

#[cfg(test)]
mod tests;
