//! JSON as it was written: what a parsed value forgets. Both functions take text that a parser has accepted.
//!
//! - A member that stands twice in its object: parsers keep one of the two, and not all the same one (RFC 8259 §4), so it
//!   is refused.
//! - Numbers that no machine type holds exactly: two of them may be one value when parsed, and are two texts here.

use std::borrow::Cow;

use serde_json::Value;

/// Where in `json` the name of a member ends that its object has twice, just behind its colon; `None` if there is none.
#[must_use]
pub fn repeated_member(json: &str) -> Option<usize> {
    let bytes = json.as_bytes();
    // The members of all objects that are open, and where those of each begin: a colon always belongs to the innermost.
    let (mut members, mut open): (Vec<(Cow<'_, str>, usize)>, Vec<usize>) = (Vec::new(), Vec::new());
    let (mut at, mut text) = (0, "");
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let end = end_of_text(bytes, at);
                text = json.get(at..end).unwrap_or_default();
                at = end;
                continue;
            }
            b':' => members.push((name(text), at + 1)),
            b'{' => open.push(members.len()),
            b'}' => {
                let first = open.pop()?;
                let own = members.get_mut(first..)?;
                own.sort_unstable();
                let twice = own.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].1).min();
                if twice.is_some() {
                    return twice;
                }
                members.truncate(first);
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The same JSON, written in the one way in which everybody would write it: no white space, members in the order of their
/// names, texts with the fewest escapes, numbers as they stand. It goes as deep as the text does.
#[must_use]
pub fn canonical(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    Reader { json, at: 0 }.value(&mut out);
    out
}

struct Reader<'a> {
    json: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// The next byte that is no white space, passed over.
    fn next(&mut self) -> u8 {
        loop {
            let byte = self.json.as_bytes().get(self.at).copied().unwrap_or(b'}');
            self.at += 1;
            if !byte.is_ascii_whitespace() {
                return byte;
            }
        }
    }

    /// A text whose opening quote was passed over.
    fn text(&mut self) -> &'a str {
        let from = self.at - 1;
        self.at = end_of_text(self.json.as_bytes(), from);
        self.json.get(from..self.at).unwrap_or_default()
    }

    fn value(&mut self, out: &mut String) {
        match self.next() {
            b'{' => self.object(out),
            b'[' => self.array(out),
            b'"' => out.push_str(&Value::from(name(self.text())).to_string()),
            _ => {
                let from = self.at - 1;
                let rest = self.json.as_bytes().get(self.at..).unwrap_or_default();
                self.at += rest.iter().take_while(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b)).count();
                out.push_str(self.json.get(from..self.at).unwrap_or_default());
            }
        }
    }

    fn object(&mut self, out: &mut String) {
        let mut members: Vec<(Cow<'_, str>, String)> = Vec::new();
        loop {
            match self.next() {
                b'"' => {
                    let name = name(self.text());
                    let mut value = String::new();
                    // The colon.
                    self.next();
                    self.value(&mut value);
                    members.push((name, value));
                }
                b'}' => break,
                _ => {}
            }
        }
        members.sort_unstable();
        let written: Vec<String> = members.into_iter().map(|(name, v)| format!("{}:{v}", Value::from(name))).collect();
        out.push('{');
        out.push_str(&written.join(","));
        out.push('}');
    }

    fn array(&mut self, out: &mut String) {
        out.push('[');
        loop {
            match self.next() {
                b']' | b'}' => break,
                b',' => out.push(','),
                _ => {
                    self.at -= 1;
                    self.value(out);
                }
            }
        }
        out.push(']');
    }
}

/// What a text between quotes says.
fn name(quoted: &str) -> Cow<'_, str> {
    let plain = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    match plain.contains('\\') {
        // Half a surrogate pair says nothing: it stands for itself.
        true => serde_json::from_str::<String>(quoted).map_or(Cow::Borrowed(plain), Cow::Owned),
        false => Cow::Borrowed(plain),
    }
}

/// Behind the closing quote of the text that opens at `from`.
fn end_of_text(bytes: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_member_that_stands_twice_is_found_wherever_it_is() {
        for (json, upto) in [
            (r#"{"a":1,"a":1}"#, r#"{"a":1,"a":"#),
            (r#"{"a":1,"b":2, "\u0061" : 3}"#, r#"{"a":1,"b":2, "\u0061" :"#),
            (r#"{"x":[{"a":1},{"b":{"c":1,"c":2}}]}"#, r#"{"x":[{"a":1},{"b":{"c":1,"c":"#),
            (r#"{"a":{"b":1},"c":{"b":1},"a":0}"#, r#"{"a":{"b":1},"c":{"b":1},"a":"#),
            (r#"{"a":1,"b":2,"b":2,"a":1}"#, r#"{"a":1,"b":2,"b":"#),
        ] {
            assert_eq!(repeated_member(json).map(|at| &json[..at]), Some(upto), "{json}");
        }
        for json in [
            r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}"#,
            r#"{"a":"\"a\":1,","b":"{\"b\":","c":":"}"#,
            r#"{"":1," ":1,"\\":1,"\"":1}"#,
            "{}",
            "[]",
            "7",
        ] {
            assert_eq!(repeated_member(json), None, "{json}");
        }
    }

    #[test]
    fn a_hundred_thousand_members_are_no_burden() {
        let members: Vec<String> = (0..100_000).map(|n| format!("\"m{n}\":{n}")).collect();
        let json = format!("{{{}}}", members.join(","));
        assert_eq!(repeated_member(&json), None);
    }

    #[test]
    fn numbers_stand_as_they_were_written() {
        let big = r#"{"n": 123456789012345678901234567890, "m": [ -1.50e+10 ,true , null]}"#;
        assert_eq!(canonical(big), r#"{"m":[-1.50e+10,true,null],"n":123456789012345678901234567890}"#);
    }

    /// Any JSON: numbers that a machine holds, so that it can be compared with a parser's.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(".{0,4}", inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn however_it_is_written_it_has_one_form(value in any_json()) {
            let tight = value.to_string();
            let wide = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(repeated_member(&wide), None);
            prop_assert_eq!(canonical(&wide), canonical(&tight));
            prop_assert_eq!(serde_json::from_str::<Value>(&canonical(&wide)).unwrap(), value);
        }

        #[test]
        fn what_is_no_json_harms_nobody(text in "[\\{\\}\\[\\]:,\"\\\\a1 é]{0,40}") {
            let _ = repeated_member(&text);
        }
    }
}
