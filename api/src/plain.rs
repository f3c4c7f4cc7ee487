//! What a reader of JSON says of a field, in words that a caller understands: what is expected there and what was found,
//! not the names of our types.
//!
//! Parsers speak to programmers ("invalid type: string \"x\", expected u64"). Their sentences have few forms; each is told
//! anew here. A sentence in another form is ours and stays as it is.

/// The message for people.
pub(crate) fn plain(message: &str) -> String {
    let message = message.trim();
    for form in ["invalid type: ", "invalid value: "] {
        if let Some((found, expected)) = message.strip_prefix(form).and_then(|rest| rest.rsplit_once(", expected ")) {
            return format!("{} is expected, not {}", expectation(expected), finding(found));
        }
    }
    if let Some((length, expected)) = message.strip_prefix("invalid length ").and_then(|m| m.split_once(", expected "))
    {
        return format!("{} is expected, not {length}", expectation(expected));
    }
    if let Some((_, known)) = message.strip_prefix("unknown variant ").and_then(|m| m.split_once(", expected ")) {
        return format!("{} is expected", words(known));
    }
    if message.starts_with("unknown field ") {
        return match message.split_once(", expected ") {
            Some((_, known)) => format!("is not a field here; known are {}", listed(known, "and")),
            None => "is not a field here".to_owned(),
        };
    }
    if message.starts_with("missing field ") {
        return "is missing".to_owned();
    }
    if message.starts_with("duplicate field ") {
        return "is given more than once".to_owned();
    }
    if message.starts_with("data did not match any variant of untagged enum ") {
        return "has none of the forms that are possible here".to_owned();
    }
    match message {
        "provided string was not `true` or `false`" => "true or false is expected".to_owned(),
        "invalid digit found in string"
        | "cannot parse integer from empty string"
        | "number too large to fit in target type"
        | "number too small to fit in target type" => "a whole number is expected".to_owned(),
        "number out of range" => "a number is expected that is not so large".to_owned(),
        other if is_about_a_time(other) => format!("{TIME} is expected"),
        other => other.to_owned(),
    }
}

pub(crate) const TIME: &str = "a time such as 2026-11-25T09:00:00Z (RFC 3339)";

/// The calendar's own words about a text that is no time.
fn is_about_a_time(message: &str) -> bool {
    let begins = ["failed to ", "parameter '", "parsed ", "expected ", "datetime ", "offset "];
    begins.iter().any(|begin| message.starts_with(begin))
}

fn expectation(said: &str) -> String {
    match said {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "u128" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a string" | "a borrowed string" | "str" | "string" | "a character" => "a text",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        "unit" => "null",
        "a timestamp string" => TIME,
        other => {
            if let Some(size) = other.strip_prefix("a tuple of size ") {
                return format!("a list of {size}");
            }
            let first = other.split(' ').next().unwrap_or_default();
            return match first {
                "struct" | "internally" | "adjacently" => "an object".to_owned(),
                "tuple" => "a list".to_owned(),
                "enum" | "variant" => "one of its words".to_owned(),
                "any" => "a value".to_owned(),
                _ if other.contains('`') => words(other),
                _ => other.to_owned(),
            };
        }
    }
    .to_owned()
}

fn finding(said: &str) -> String {
    for (form, word) in [("string ", "the text "), ("character ", "the text ")] {
        if let Some(text) = said.strip_prefix(form) {
            return format!("{word}{}", text.replace('`', "\""));
        }
    }
    for form in ["integer ", "floating point ", "boolean "] {
        if let Some(value) = said.strip_prefix(form) {
            return value.trim_matches('`').to_owned();
        }
    }
    match said {
        "map" => "an object",
        "sequence" => "a list",
        "null" | "unit value" | "Option value" => "null",
        "byte array" => "bytes",
        other => other,
    }
    .to_owned()
}

/// `one of `a`, `b`` or `` `a` or `b` `` as `a, b or c`.
fn words(known: &str) -> String {
    listed(known, "or")
}

fn listed(known: &str, joint: &str) -> String {
    let names: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    match names.as_slice() {
        [] => known.to_owned(),
        [only] => (*only).to_owned(),
        [most @ .., last] => format!("{} {joint} {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde::Deserialize;
    use serde::de::DeserializeOwned;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "lowercase")]
    enum Word {
        Some,
        None,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read by nobody: the shape is what counts")]
    struct Shape {
        n: u16,
        word: Word,
    }

    fn said<T: DeserializeOwned + std::fmt::Debug>(json: &str) -> String {
        let error = serde_json::from_str::<T>(json).unwrap_err().to_string();
        plain(error.split(" at line ").next().unwrap())
    }

    #[test]
    fn numbers_texts_lists_and_objects_are_called_by_their_names() {
        assert_eq!(said::<u64>("\"x\""), "a whole number, 0 or more is expected, not the text \"x\"");
        assert_eq!(said::<u16>("65536"), "a whole number from 0 to 65535 is expected, not 65536");
        assert_eq!(said::<u8>("1.5"), "a whole number from 0 to 255 is expected, not 1.5");
        assert_eq!(said::<String>("[]"), "a text is expected, not a list");
        assert_eq!(said::<bool>("{}"), "true or false is expected, not an object");
        assert_eq!(said::<Vec<u8>>("null"), "a list is expected, not null");
        assert_eq!(said::<Shape>("true"), "an object is expected, not true");
        assert_eq!(said::<(u8, u8)>("[1]"), "a list of 2 is expected, not 1");
    }

    #[test]
    fn fields_and_words_are_named_without_ornament() {
        assert_eq!(said::<Shape>("{\"n\":1}"), "is missing");
        assert_eq!(said::<Shape>("{\"n\":1,\"n\":2}"), "is given more than once");
        assert_eq!(said::<Shape>("{\"m\":1}"), "is not a field here; known are n and word");
        assert_eq!(said::<Word>("\"any\""), "some or none is expected");
    }

    #[test]
    fn a_text_that_is_no_time_is_told_what_one_looks_like() {
        for text in [
            "2026-02-30T00:00:00Z",
            "2026-11-25T09:00:00+99:00",
            "2026-11-25 09:00",
            "2026-11-25T09:00:00Zx",
            "25.11.2026",
            "-1",
            "1764061200",
            "soon",
            "2026-13-01T00:00:00Z",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-01-01T25:00:00Z",
            "",
            "9999999-01-01T00:00:00Z",
        ] {
            let json = serde_json::to_string(text).unwrap();
            assert_eq!(said::<Timestamp>(&json), format!("{TIME} is expected"), "{text}");
            let parsed = text.parse::<Timestamp>().unwrap_err().to_string();
            assert_eq!(plain(&parsed), format!("{TIME} is expected"), "{text}: {parsed}");
        }
        assert_eq!(said::<Timestamp>("5"), format!("{TIME} is expected, not 5"));
    }

    #[test]
    fn parsers_of_parameters_are_translated_and_our_own_words_stay() {
        let parse = |error: String| plain(&error);
        assert_eq!(parse("x".parse::<bool>().unwrap_err().to_string()), "true or false is expected");
        assert_eq!(parse("x".parse::<u32>().unwrap_err().to_string()), "a whole number is expected");
        for ours in ["a list is expected", "a duration is expected: seconds, or a text such as \"5m\"", "there is no @"]
        {
            assert_eq!(plain(ours), ours);
        }
    }
}
