//! Taking a person's name and address out of texts and JSON.

use serde_json::Value;

use super::{ERASED, ERASED_ADDRESS};
use crate::bookings::Party;

/// What a person is called in the texts of a booking or mail.
#[derive(Debug, Default)]
pub(super) struct Traces {
    address: String,
    /// Names, longest first: `Zoë Ångström` goes before `Zoë`.
    names: Vec<String>,
}

impl Traces {
    /// The traces of who has this address (lower case).
    pub(super) fn new(address: &str) -> Self {
        Self { address: address.to_owned(), names: Vec::new() }
    }

    /// Learns a name. One letter, or nothing, is no trace: taking it out would take everything out.
    pub(super) fn learn(&mut self, name: &str) {
        let name = name.trim();
        if name.chars().count() > 1 && !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
            self.names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        }
    }

    /// Whether this party is the person.
    pub(super) fn is(&self, party: &Party) -> bool {
        party.email.to_lowercase() == self.address
    }

    /// The text without them; `None` if they are not in it.
    pub(super) fn out_of(&self, text: &str) -> Option<String> {
        let mut left = without(text, &self.address, ERASED_ADDRESS);
        for name in &self.names {
            left = left.replace(name.as_str(), ERASED);
        }
        (left != text).then_some(left)
    }

    /// Takes them out of every text of a JSON value; whether anything changed.
    pub(super) fn out_of_json(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => match self.out_of(text) {
                Some(left) => {
                    *text = left;
                    true
                }
                None => false,
            },
            Value::Array(items) => items.iter_mut().fold(false, |changed, item| self.out_of_json(item) | changed),
            Value::Object(members) => {
                members.values_mut().fold(false, |changed, member| self.out_of_json(member) | changed)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
}

/// The party that is left.
pub(super) fn nobody(party: &Party) -> Party {
    Party {
        id: ERASED.to_owned(),
        name: ERASED.to_owned(),
        email: ERASED_ADDRESS.to_owned(),
        timezone: party.timezone.clone(),
        locale: None,
    }
}

/// Replaces `needle` (lower case) wherever it stands, whatever its case.
fn without(text: &str, needle: &str, with: &str) -> String {
    // A letter in lower case may be longer than the letter: where each came from is kept beside it.
    let (mut lower, mut origin) = (String::with_capacity(text.len()), Vec::with_capacity(text.len()));
    for (at, c) in text.char_indices() {
        let start = lower.len();
        lower.extend(c.to_lowercase());
        origin.resize(origin.len() + lower.len() - start, at);
    }
    origin.push(text.len());
    let (mut out, mut from) = (String::with_capacity(text.len()), 0);
    for (at, found) in lower.match_indices(needle) {
        out.push_str(&text[from..origin[at]]);
        out.push_str(with);
        from = origin[at + found.len()];
    }
    out.push_str(&text[from..]);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_and_addresses_go_wherever_they_stand_and_the_rest_stays() {
        let mut traces = Traces::new("zoe@people.test");
        traces.learn("Zoë");
        traces.learn("Zoë Ångström");
        traces.learn("Z");
        let mut data =
            json!({"a": ["With Zoë Ångström (ZOE@People.test)", 1, null], "b": {"c": "Zoë, Zürich"}, "d": "José"});
        assert!(traces.out_of_json(&mut data));
        assert_eq!(
            data,
            json!({"a": ["With erased (erased@erased.invalid)", 1, null], "b": {"c": "erased, Zürich"}, "d": "José"})
        );
        assert!(!traces.out_of_json(&mut data));
    }

    #[test]
    fn an_address_beyond_ascii_goes_whatever_its_case() {
        let traces = Traces::new("ünal@people.test");
        let left = traces.out_of("İ: ÜNAL@People.test, ünal@people.test; Ǆ").unwrap();
        assert_eq!(left, "İ: erased@erased.invalid, erased@erased.invalid; Ǆ");
        assert_eq!(traces.out_of("unal@people.test"), None);
    }
}
