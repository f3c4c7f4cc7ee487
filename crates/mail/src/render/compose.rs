//! Putting a template together from its files, once, as text.
//!
//! `{{> body.html}}` stands for the file `body.html.hbs`. This is done before anything is parsed, because CSS can only be
//! inlined into a whole document; and it makes the layout and its fragments overridable one file at a time.

use super::RenderError;
use super::source::Source;

/// Includes within includes; more is a circle.
const MAX_DEPTH: usize = 8;

/// The file `entry` with everything that it includes.
pub(super) fn compose(source: &Source, template: &str, entry: &str) -> Result<String, RenderError> {
    include(source, template, entry, 0)
}

fn include(source: &Source, template: &str, file: &str, depth: usize) -> Result<String, RenderError> {
    let wrong = |reason: String| RenderError::Template { template: template.to_owned(), file: file.to_owned(), reason };
    if depth > MAX_DEPTH {
        return Err(wrong("the includes go in a circle".to_owned()));
    }
    let mut rest = source.file(template, file).ok_or_else(|| wrong("is missing".to_owned()))?;
    let mut out = String::with_capacity(rest.len());
    while let Some(start) = rest.find("{{>") {
        let (before, tag) = rest.split_at(start);
        let end = tag.find("}}").ok_or_else(|| wrong("an include is not closed".to_owned()))?;
        let name = tag[3..end].trim();
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
            return Err(wrong(format!("an include names one file and nothing else, not {name:?}")));
        }
        out.push_str(before);
        out.push_str(include(source, template, name, depth + 1)?.trim_end_matches('\n'));
        rest = &tag[end + 2..];
    }
    out.push_str(rest);
    Ok(out)
}

/// `{{{x}}}` and `{{&x}}` would put data into HTML as it is.
pub(super) fn refuse_raw_output(html: &str) -> Result<(), String> {
    let mut rest = html;
    while let Some(start) = rest.find("{{") {
        let tag = &rest[start + 2..];
        let first = tag.trim_start_matches(['~', ' ']).chars().next();
        if matches!(first, Some('{' | '&')) {
            return Err("{{{ }}} and {{& }} are not allowed in HTML: they do not escape".to_owned());
        }
        rest = tag;
    }
    Ok(())
}
