//! Templates: from a name and data to subject, text and HTML.
//!
//! A template is a folder: `subject.txt.hbs`, `body.txt.hbs`, `body.html.hbs`, any number of fragments of its own, and
//! `sample.json`, data with which it can be shown and tested. Folders that start with `_` are no templates: `_layout`
//! has the frame and the fragments that all share. The folder `email_templates` is compiled in; a file of the same path in the
//! override directory takes its place, and a new folder there is a new template.
//!
//! At start, once:
//! 1. Each body is put into its layout, as text: `{{> name}}` is replaced by the file `name.hbs`, looked for in the
//!    template's folder first and in `_layout` then.
//! 2. The CSS of the composed HTML is moved onto its elements, for the mail programs that ignore style sheets.
//! 3. Handlebars parses the result. A template that cannot be parsed stops the start, not the first mail.
//!
//! At every mail, data is filled in strictly: **a field that is missing is an error**, in `{{#if}}` as anywhere else. An
//! optional field is there as `null`, so a misspelt name in a template or in code cannot quietly leave something out.
//! HTML is escaped and cannot be asked not to be; text and subject are not escaped; a subject with a line break is
//! refused, for it would start a header.

mod compose;
mod inline;
mod source;
mod strict;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use handlebars::{Handlebars, RenderErrorReason};
use serde_json::Value;

use source::Source;

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
    /// The subject would have had a line break or another control character.
    #[error("template {template}: the subject has a line break or a control character")]
    SubjectLineBreak {
        /// The template's name.
        template: String,
    },
    /// A file of the template is missing, does not parse, or uses what is not allowed. Found at start.
    #[error("template {template}, {file}: {reason}")]
    Template {
        /// The template's name.
        template: String,
        /// The file, as `body.html`.
        file: String,
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
    samples: BTreeMap<String, Value>,
}

impl Renderer {
    /// Loads the templates that are compiled in and, over them, those in `override_dir`.
    ///
    /// # Errors
    /// [`RenderError::Template`] or [`RenderError::Override`], naming the file.
    pub fn new(override_dir: Option<&Path>) -> Result<Self, RenderError> {
        let source = Source::load(override_dir)?;
        let mut renderer = Self {
            html: strict::registry(handlebars::html_escape),
            text: strict::registry(handlebars::no_escape),
            samples: BTreeMap::new(),
        };
        for name in source.templates() {
            renderer.load(&source, name)?;
        }
        Ok(renderer)
    }

    fn load(&mut self, source: &Source, name: &str) -> Result<(), RenderError> {
        let wrong = |file: &str, reason: String| RenderError::Template {
            template: name.to_owned(),
            file: file.to_owned(),
            reason,
        };
        let subject = compose::compose(source, name, "subject.txt")?;
        let text = compose::compose(source, name, "layout.txt")?;
        let html = compose::compose(source, name, "layout.html")?;
        let sample = source.sample(name).ok_or_else(|| wrong("sample.json", "is missing".to_owned()))?;
        let sample = serde_json::from_str(sample).map_err(|error| wrong("sample.json", error.to_string()))?;

        let parsed = |result: Result<(), handlebars::TemplateError>, file| {
            result.map_err(|error| wrong(file, error.to_string()))
        };
        parsed(self.text.register_template_string(&subject_key(name), subject.trim()), "subject.txt")?;
        parsed(self.text.register_template_string(name, text), "body.txt")?;
        compose::refuse_raw_output(&html).map_err(|reason| wrong("body.html", reason))?;
        let html = inline::inline(&html).map_err(|reason| wrong("body.html", reason))?;
        parsed(self.html.register_template_string(name, html), "body.html")?;
        self.samples.insert(name.to_owned(), sample);
        Ok(())
    }

    /// Fills template `name` with `data`.
    ///
    /// # Errors
    /// [`RenderError::UnknownTemplate`], [`RenderError::MissingField`], [`RenderError::SubjectLineBreak`],
    /// [`RenderError::Fill`].
    pub fn render(&self, name: &str, data: &Value) -> Result<Rendered, RenderError> {
        if !self.samples.contains_key(name) {
            return Err(RenderError::UnknownTemplate(name.to_owned()));
        }
        let fill =
            |registry: &Handlebars<'_>, key: &str| registry.render(key, data).map_err(|error| fill_error(name, &error));
        let subject = fill(&self.text, &subject_key(name))?;
        if subject.chars().any(char::is_control) {
            return Err(RenderError::SubjectLineBreak { template: name.to_owned() });
        }
        Ok(Rendered { subject, text: fill(&self.text, name)?, html: fill(&self.html, name)? })
    }

    /// The names of all templates, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.samples.keys().map(String::as_str).collect()
    }

    /// The sample data of a template.
    #[must_use]
    pub fn sample(&self, name: &str) -> Option<&Value> {
        self.samples.get(name)
    }
}

fn subject_key(name: &str) -> String {
    format!("{name}:subject")
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

#[cfg(test)]
mod tests;
