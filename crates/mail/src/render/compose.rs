//! Putting a template together from its files, once, as text.
//!
//! `{{> body.html}}` stands for the file `body.html.hbs`. This is done before anything is parsed, because CSS can only be
//! inlined into a whole document; and it makes the layout and its fragments overridable one file at a time.
//!
//! `{{word title}}` stands for the word of that name in the reader's language. Words are put in last, so that all
//! languages of a template share one inlined document.

use std::rc::Rc;

use serde_json::{Map, Value};

use super::RenderError;
use super::source::Source;
use crate::locale::Locale;

/// Includes within includes; more is a circle.
const MAX_DEPTH: usize = 8;

/// A template's text and where each of its lines comes from.
pub(super) struct Composed {
    pub(super) text: String,
    /// Path and line (from 1) of every line of the text.
    lines: Vec<(Rc<str>, usize)>,
}

impl Composed {
    /// Path and line of the line of this number, from 1.
    pub(super) fn origin(&self, line: usize) -> Option<(&str, usize)> {
        self.lines.get(line.checked_sub(1)?).map(|(path, line)| (path.as_ref(), *line))
    }

    /// The paths of all files that took part.
    pub(super) fn paths(&self) -> std::collections::BTreeSet<&str> {
        self.lines.iter().map(|(path, _)| path.as_ref()).collect()
    }

    fn push(&mut self, text: &str, path: &Rc<str>, first_line: usize) {
        self.text.push_str(text);
        for number in 1..=text.matches('\n').count() {
            self.lines.push((Rc::clone(path), first_line + number));
        }
    }
}

/// The file `entry` with everything that it includes.
pub(super) fn compose(source: &Source, template: &str, entry: &str, locale: &Locale) -> Result<Composed, RenderError> {
    let mut out = Composed { text: String::new(), lines: Vec::new() };
    include(source, template, entry, locale, 0, &mut out)?;
    Ok(out)
}

fn include(
    source: &Source,
    template: &str,
    name: &str,
    locale: &Locale,
    depth: usize,
    out: &mut Composed,
) -> Result<(), RenderError> {
    let wrong = |line: Option<usize>, reason: String| RenderError::Template {
        template: template.to_owned(),
        file: name.to_owned(),
        line,
        reason,
    };
    if depth > MAX_DEPTH {
        return Err(wrong(None, "the includes go in a circle".to_owned()));
    }
    let (path, text) = source.file(template, name, locale).ok_or_else(|| wrong(None, "is missing".to_owned()))?;
    check_blocks(text).map_err(|(line, reason)| wrong(Some(line), reason))?;
    let path: Rc<str> = Rc::from(path);
    if out.text.is_empty() || out.text.ends_with('\n') {
        out.lines.pop();
        out.lines.push((Rc::clone(&path), 1));
    }
    // An included file's last line end is its own, not the includer's.
    let mut rest = if depth > 0 { text.trim_end_matches('\n') } else { text };
    let mut line = 1;
    while let Some(start) = rest.find("{{>") {
        let (before, tag) = rest.split_at(start);
        out.push(before, &path, line);
        line += before.matches('\n').count();
        let end = tag.find("}}").ok_or_else(|| wrong(Some(line), "an include is not closed".to_owned()))?;
        let included = tag[3..end].trim();
        if !included.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
            return Err(wrong(Some(line), format!("an include names one file and nothing else, not {included:?}")));
        }
        include(source, template, included, locale, depth + 1, out)?;
        rest = &tag[end + 2..];
    }
    out.push(rest, &path, line);
    Ok(())
}

/// A block has to end in the file where it begins: so a forgotten end is found where it is missing. The line is counted from 1.
fn check_blocks(text: &str) -> Result<(), (usize, String)> {
    let mut open: Vec<(usize, &str)> = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find("{{") {
        at += found + 2;
        let line = text[..at].matches('\n').count() + 1;
        let tag = text[at..].split("}}").next().unwrap_or_default().trim_matches('~').trim();
        if let Some(block) = tag.strip_prefix('#') {
            open.push((line, block.split_whitespace().next().unwrap_or_default()));
        } else if let Some(name) = tag.strip_prefix('/') {
            match open.pop() {
                Some((_, opened)) if opened == name.trim() => {}
                Some((began, opened)) => {
                    return Err((line, format!("{{{{/{name}}}}} ends {{{{#{opened}}}}} of line {began}")));
                }
                None => return Err((line, format!("{{{{/{name}}}}} ends nothing"))),
            }
        }
    }
    match open.pop() {
        Some((line, block)) => Err((line, format!("{{{{#{block}}}}} is not closed in this file"))),
        None => Ok(()),
    }
}

/// Puts the words in. In HTML their `&`, `<`, `>` and `"` are escaped; tags in them stay tags.
pub(super) fn fill_words(text: &str, words: &Map<String, Value>, html: bool) -> Result<String, String> {
    const OPEN: &str = "{{word ";
    let mut out = String::with_capacity(text.len() + 256);
    let mut rest = text;
    while let Some(start) = rest.find(OPEN) {
        let (before, tag) = rest.split_at(start);
        let end = tag.find("}}").ok_or("a word is not closed")?;
        let name = tag[OPEN.len()..end].trim();
        let word = words.get(name).and_then(Value::as_str).ok_or_else(|| format!("words.json has no {name:?}"))?;
        if word.contains("{{>") || word.contains(OPEN) || word.contains(['\n', '\r']) {
            return Err(format!("the word {name:?} has to be one line without includes and words"));
        }
        out.push_str(before);
        if html {
            escape_word(word, &mut out)
        } else {
            out.push_str(word)
        }
        rest = &tag[end + 2..];
    }
    out.push_str(rest);
    Ok(out)
}

/// The names of the words that a text uses.
pub(super) fn words_used(text: &str) -> impl Iterator<Item = &str> {
    text.split("{{word ").skip(1).filter_map(|rest| rest.split("}}").next()).map(str::trim)
}

fn escape_word(word: &str, out: &mut String) {
    let mut in_tag = false;
    for (at, c) in word.char_indices() {
        in_tag = (in_tag || word[at..].starts_with("{{")) && !(in_tag && word[..at].ends_with("}}"));
        match c {
            '&' if !in_tag => out.push_str("&amp;"),
            '<' if !in_tag => out.push_str("&lt;"),
            '>' if !in_tag => out.push_str("&gt;"),
            '"' if !in_tag => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
}

/// `{{{x}}}` and `{{&x}}` would put data into HTML as it is. The line is counted from 1.
pub(super) fn refuse_raw_output(html: &str) -> Result<(), (usize, String)> {
    let mut at = 0;
    while let Some(found) = html[at..].find("{{") {
        at += found + 2;
        let first = html[at..].trim_start_matches(['~', ' ']).chars().next();
        if matches!(first, Some('{' | '&')) {
            let line = html[..at].matches('\n').count() + 1;
            return Err((line, "{{{ }}} and {{& }} are not allowed in HTML: they do not escape".to_owned()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_are_escaped_in_html_and_their_tags_are_not() {
        let words = json!({ "a": "Ann & {{#if \"b\"}}<{{b}}>{{/if}} \"c\"" });
        let words = words.as_object().unwrap();
        assert_eq!(
            fill_words("<p>{{word a}}</p>", words, true).unwrap(),
            "<p>Ann &amp; {{#if \"b\"}}&lt;{{b}}&gt;{{/if}} &quot;c&quot;</p>"
        );
        assert_eq!(fill_words("{{word a}}!", words, false).unwrap(), "Ann & {{#if \"b\"}}<{{b}}>{{/if}} \"c\"!");
        assert!(fill_words("{{word b}}", words, false).unwrap_err().contains("\"b\""));
    }
}
