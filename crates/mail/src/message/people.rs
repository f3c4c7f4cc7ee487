//! The people of a message in its header: From, To, Cc and Reply-To. Written here and not by the builder, which leaves names
//! with a full stop unquoted (RFC 5322 §3.2.3) and knows no address beyond ASCII.
//!
//! Such an address's own reader gets it as it is (RFC 6532 §3.2): their server takes UTF-8, or it would not have such an
//! address. Other readers of the same mail may be where no server does; to them it is shown as words in an empty group
//! (RFC 6857 §3.1.8), which is ASCII: their copy arrives, whoever else was written to.

use super::words;
use crate::address::Mailbox;

/// What a word of a name may be made of without quotes, beside letters and digits (RFC 5322 §3.2.3).
const ATOM: &[u8] = b"!#$%&'*+-/=?^_`{|}~";

/// The mailboxes as the value of a field, one a line.
pub(super) fn people_field(people: &[Mailbox], utf8: bool) -> String {
    people.iter().map(|person| mailbox(person, utf8)).collect::<Vec<_>>().join(",\r\n ")
}

fn mailbox(person: &Mailbox, utf8: bool) -> String {
    let address = person.address();
    if !address.is_ascii() && !utf8 {
        let shown = match person.name() {
            Some(name) => format!("{name} <{address}>"),
            None => address.to_string(),
        };
        return format!("{} :;", words::encoded(&shown));
    }
    match person.name() {
        Some(name) => format!("{} <{address}>", phrase(name)),
        None => address.to_string(),
    }
}

/// A name as words, in quotes where it has more than words, encoded where it has more than ASCII or would be read as if it
/// were encoded.
fn phrase(name: &str) -> String {
    if !name.is_ascii() || name.contains("=?") {
        return words::encoded(name);
    }
    let is_atom = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || ATOM.contains(&b));
    if name.split(' ').all(is_atom) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people() -> Vec<Mailbox> {
        ["Zoë <zoe@example.com>", "Jürgen <jürgen@example.com>", "用户@例子.广告"]
            .map(|text| text.parse().unwrap())
            .to_vec()
    }

    #[test]
    fn under_smtputf8_addresses_stand_as_they_are() {
        let field = people_field(&people(), true);
        let lines: Vec<&str> = field.split("\r\n").collect();
        assert_eq!(
            lines,
            [
                "=?utf-8?B?Wm/Dqw==?= <zoe@example.com>,",
                " =?utf-8?B?SsO8cmdlbg==?= <jürgen@example.com>,",
                " 用户@xn--fsqu00a.xn--4rr70v"
            ]
        );
    }

    #[test]
    fn without_it_they_are_words_that_every_server_carries() {
        let field = people_field(&people(), false);
        assert!(field.is_ascii() && field.contains("<zoe@example.com>,"), "{field}");
        assert_eq!(field.matches(" :;").count(), 2, "{field}");
        let message = format!("To: {field}\r\n\r\n");
        let read = mail_parser::MessageParser::default().parse(message.as_bytes()).unwrap();
        let shown = format!("{:?}", read.to().unwrap());
        assert!(shown.contains("Jürgen <jürgen@example.com>") && shown.contains("zoe@example.com"), "{shown}");
    }
}
