//! The words of an email: a template of ours and its data, or the caller's own subject, text and HTML.

use job::FieldError;
use mail::{Locale, RenderError, plain_text};
use serde_json::Value;
use worker::email_content::EmailBody;

use crate::error::ApiError;
use crate::state::State;

/// The longest subject, in bytes.
const LONGEST_SUBJECT: usize = 900;

/// The words as they were written.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub template: Option<String>,
    pub data: Option<Value>,
    /// How this shape calls the two.
    pub names: Option<(&'static str, &'static str)>,
    pub subject: Option<String>,
    pub text: Option<String>,
    pub html: Option<String>,
}

/// The template's name, if it is one, and the body. `None` if something is wrong, which is then in `wrong`.
pub(super) fn words(
    state: &State,
    words: Words,
    locale: Option<&str>,
    wrong: &mut Vec<FieldError>,
) -> Result<Option<(Option<String>, EmailBody)>, ApiError> {
    let before = wrong.len();
    let (template_field, data_field) = words.names.unwrap_or(("template", "data"));
    let given = [("subject", &words.subject), ("text", &words.text), ("html", &words.html)];
    let body = match words.template {
        Some(name) => {
            for (field, _) in given.iter().filter(|(_, value)| value.is_some()) {
                wrong.push(FieldError::new(*field, format!("not together with {template_field}, which says it")));
            }
            let data = words.data.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
            // Rendered here once, so that a field that is missing is told to who can add it.
            let renderer = state.renderer()?;
            for misfit in renderer.misfits(&name, &data) {
                let dot = if misfit.field.is_empty() { "" } else { "." };
                wrong.push(FieldError::new(format!("{data_field}{dot}{}", misfit.field), misfit.why));
            }
            match renderer.render(&name, &Locale::or_english(locale), &data) {
                Ok(mail) if mail.subject.len() > LONGEST_SUBJECT => wrong.push(FieldError::new(
                    data_field,
                    format!("the subject would have more than {LONGEST_SUBJECT} bytes"),
                )),
                Ok(_) => {
                    if let Err(why) = mail::render::check_charts(&data) {
                        wrong.push(FieldError::new(data_field, why));
                    }
                }
                // Told field by field.
                Err(RenderError::SubjectLineBreak { .. } | RenderError::Shape { .. } | RenderError::Fill { .. })
                    if wrong.len() > before => {}
                Err(RenderError::UnknownTemplate(_)) => {
                    wrong.push(FieldError::new(template_field, "there is no template of this name"));
                }
                Err(RenderError::MissingField { field, .. }) => {
                    wrong.push(FieldError::new(
                        format!("{data_field}.{field}"),
                        "is missing; where it is optional, null",
                    ));
                }
                Err(RenderError::SubjectLineBreak { .. }) => {
                    wrong.push(FieldError::new(
                        data_field,
                        "the subject would have a line break or a control character",
                    ));
                }
                Err(_) => wrong.push(FieldError::new(data_field, "does not fit the template")),
            }
            (Some(name), EmailBody::Template(data))
        }
        None => {
            if words.data.is_some() {
                wrong.push(FieldError::new(data_field, format!("only together with {template_field}")));
            }
            let subject = words.subject.unwrap_or_default();
            if subject.trim().is_empty() || subject.len() > LONGEST_SUBJECT || subject.chars().any(char::is_control) {
                wrong.push(FieldError::new("subject", format!("one line of 1 to {LONGEST_SUBJECT} bytes is expected")));
            }
            let html = words.html.filter(|html| !html.trim().is_empty()).unwrap_or_default();
            let text = match words.text.filter(|text| !text.trim().is_empty()) {
                Some(text) => text,
                // Every mail has a text part: without one of the caller's it says what the HTML says.
                None => match plain_text(&html) {
                    Ok(text) => text,
                    Err(why) => {
                        wrong.push(FieldError::new("html", format!("{why}: send the text part as well")));
                        html.clone()
                    }
                },
            };
            if text.is_empty() {
                let why = if html.is_empty() {
                    "text or html is needed"
                } else {
                    "is needed: the HTML says nothing in words"
                };
                wrong.push(FieldError::new("text", why));
            }
            for (field, value) in [("text", &text), ("html", &html)] {
                if value.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
                    wrong.push(FieldError::new(field, "control characters are not allowed"));
                }
            }
            (None, EmailBody::Given { subject, text: lines(&text), html: lines(&html) })
        }
    };
    Ok((wrong.len() == before).then_some(body))
}

/// Lines end with LF here; the message writes CRLF.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}
