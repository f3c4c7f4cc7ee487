//! Whether data fits a template, field by field, so that who sent it is told what to mend.
//!
//! The sample is the measure. Where it has
//! 1. an object or a list, there has to be one, and what is in it fits as well;
//! 2. a text or a number, there has to be one: an object printed into a mail would be `[object]` to its reader. These two
//!    are asked of every mail, the others of data from outside;
//! 3. `null` is allowed where some `{{#if field}}` looks whether the field is there;
//! 4. a text is one line, unless the sample's has several, and turns nobody's reading direction;
//! 5. what stands in `href="{{field}}"` is an http(s) address.
//!
//! A field that is missing is found by filling in, and one that no template knows is not looked at.

use std::collections::BTreeSet;

use serde_json::Value;

/// A field whose value does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Its path, as `incidents[2].title`.
    pub field: String,
    /// What is expected of it.
    pub why: &'static str,
    /// Whether it is not even of the right kind, and no mail can be made of it.
    pub is_shape: bool,
}

/// What the parts of a template say about its fields, each by the last part of its path.
#[derive(Debug, Clone, Default)]
pub(super) struct Uses {
    optional: BTreeSet<String>,
    links: BTreeSet<String>,
}

impl Uses {
    /// Adds what a part says.
    pub(super) fn read(&mut self, part: &str) {
        for opening in ["{{#if ", "{{#unless "] {
            self.optional.extend(fields(part, opening));
        }
        self.links.extend(fields(part, "href=\"{{"));
    }

    /// What does not fit; `sample` is the template's.
    pub(super) fn misfits(&self, sample: &Value, data: &Value) -> Vec<Misfit> {
        let mut found = Vec::new();
        self.compare(sample, data, "", &mut found);
        found
    }

    fn compare(&self, sample: &Value, data: &Value, path: &str, found: &mut Vec<Misfit>) {
        let shape = |why| Misfit { field: path.to_owned(), why, is_shape: true };
        let value = |why| Misfit { field: path.to_owned(), why, is_shape: false };
        match (sample, data) {
            (Value::Object(sample), Value::Object(data)) => {
                for (name, sample) in sample {
                    if let Some(value) = data.get(name) {
                        let joint = if path.is_empty() { "" } else { "." };
                        self.compare(sample, value, &format!("{path}{joint}{name}"), found);
                    }
                }
            }
            (_, Value::Null) if self.optional.contains(last(path)) => {}
            (_, Value::Null) => found.push(value("a value is needed here")),
            (Value::Object(_), _) => found.push(shape("an object is expected")),
            (Value::Array(sample), Value::Array(items)) => {
                let Some(first) = sample.first() else { return };
                // Figures to be drawn may have gaps.
                let gaps = first.is_number();
                for (index, item) in items.iter().enumerate().filter(|(_, item)| !(gaps && item.is_null())) {
                    self.compare(first, item, &format!("{path}[{index}]"), found);
                }
            }
            (Value::Array(_), _) => found.push(shape("a list is expected")),
            (Value::Bool(_), Value::Bool(_)) | (_, Value::Number(_)) => {}
            (sample, Value::String(text)) => {
                let several = sample.as_str().is_some_and(|sample| sample.contains('\n'));
                if text.chars().any(|c| c.is_control() && !(several && matches!(c, '\n' | '\r' | '\t'))) {
                    found.push(value("one line is expected, without control characters"));
                } else if text.chars().any(turns) {
                    found.push(value("characters that break lines or turn the direction of the text are not allowed"));
                } else if self.links.contains(last(path)) && !is_link(text) {
                    found.push(value("an address that begins with https:// or http:// is expected"));
                }
            }
            (_, Value::Bool(_)) => found.push(value("a text or a number is expected")),
            _ => found.push(shape("a text or a number is expected")),
        }
    }
}

/// U+2028 and U+2029 break lines, U+202D and U+202E make a text look like another one (Unicode UAX #9 §2.2).
fn turns(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{202D}' | '\u{202E}')
}

fn is_link(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !text.contains([' ', '"', '<', '>']))
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// The last parts of the fields that follow `opening`.
fn fields<'a>(part: &'a str, opening: &str) -> impl Iterator<Item = String> {
    let found: Vec<&'a str> = part.split(opening).skip(1).filter_map(|rest| rest.split("}}").next()).collect();
    found.into_iter().map(|field| last(field.trim()).to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn misfits(data: &Value) -> Vec<(String, &'static str)> {
        let mut uses = Uses::default();
        uses.read("{{name}} {{#if note}}{{note}}{{/if}} <a href=\"{{url}}\">{{#each rows}}{{this.title}}{{/each}}</a>");
        let sample = json!({
            "name": "Zoe", "note": null, "text": "a\nb", "url": "https://x.example", "rows": [{"title": "t", "n": 1}], "values": [1, null],
            "values": [1, null],
        });
        uses.misfits(&sample, data).into_iter().map(|misfit| (misfit.field, misfit.why)).collect()
    }

    #[test]
    fn what_fits_is_let_through() {
        for data in [
            json!({"name": "Zoë", "note": null, "url": "http://localhost:8080/a?b=c", "rows": [], "values": [null, 2]}),
            json!({"name": 7, "note": "x", "text": "a\r\n\tb", "rows": [{"title": "x", "n": 2}], "more": {"a": 1}}),
            json!({"name": "עִבְרִית \u{200F}"}),
            json!({}),
        ] {
            assert_eq!(misfits(&data), [], "{data}");
        }
    }

    #[test]
    fn what_would_be_seen_by_a_person_is_named() {
        let text = "a text or a number is expected";
        let line = "one line is expected, without control characters";
        let link = "an address that begins with https:// or http:// is expected";
        for (data, field, why) in [
            (json!({"name": {"a": 1}}), "name", text),
            (json!({"name": ["a"]}), "name", text),
            (json!({"name": true}), "name", text),
            (json!({"name": null}), "name", "a value is needed here"),
            (json!({"name": "a\nb"}), "name", line),
            (json!({"name": "a\u{0}b"}), "name", line),
            (json!({"text": "a\u{1b}b"}), "text", line),
            (
                json!({"name": "\u{202E}moc"}),
                "name",
                "characters that break lines or turn the direction of the text are not allowed",
            ),
            (json!({"url": "javascript:alert(1)"}), "url", link),
            (json!({"url": "https://"}), "url", link),
            (json!({"url": "//x.example"}), "url", link),
            (json!({"url": null}), "url", "a value is needed here"),
            (json!({"rows": {}}), "rows", "a list is expected"),
            (json!({"rows": [{"title": []}]}), "rows[0].title", text),
            (json!({"rows": ["x"]}), "rows[0]", "an object is expected"),
            (json!([]), "", "an object is expected"),
        ] {
            assert_eq!(misfits(&data), [(field.to_owned(), why)], "{data}");
        }
    }
}
