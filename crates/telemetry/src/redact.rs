//! Masks for what must not stand in a log in clear: addresses, and texts from outside that may hold some.
//!
//! All are `Display` wrappers: nothing is built for a line that is not written.

use std::fmt::{self, Write};

/// A mail address with its local part hidden: `m***@example.com`. What is not an address shows as `***`.
#[derive(Clone, Copy)]
pub struct Address<'a>(pub &'a str);

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.rsplit_once('@') {
            Some((local, domain)) => {
                // Of a one-letter local part nothing is left to show.
                let mut letters = local.chars();
                match (letters.next(), letters.next()) {
                    (Some(first), Some(_)) => write!(f, "{}***@{}", Line(first.encode_utf8(&mut [0; 4])), Line(domain)),
                    _ => write!(f, "***@{}", Line(domain)),
                }
            }
            None => f.write_str("***"),
        }
    }
}

impl fmt::Debug for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text from outside (an SMTP reply, a database's message) on one line, its addresses masked, at most
/// [`Text::LIMIT`] characters.
#[derive(Clone, Copy)]
pub struct Text<'a>(pub &'a str);

impl Text<'_> {
    /// Characters shown of a text; the rest is cut with `…`.
    pub const LIMIT: usize = 500;
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.char_indices().nth(Self::LIMIT).map_or(self.0.len(), |(i, _)| i);
        // A word is cut before it is judged, so that a cut address is still seen as one as long as its `@` is there.
        for piece in self.0[..end].split_inclusive(divides) {
            let word = piece.trim_end_matches(divides);
            let tail = &piece[word.len()..];
            if word.contains('@') {
                write!(f, "{}", Address(word))?
            } else {
                write!(f, "{}", Line(word))?
            }
            write!(f, "{}", Line(tail))?;
        }
        if end < self.0.len() { f.write_char('…') } else { Ok(()) }
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What ends an address in running text.
fn divides(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '(' | ')' | '[' | ']' | ',' | ';' | ':' | '"' | '\'')
}

/// A text with its control characters escaped, so that it cannot forge a second log line.
struct Line<'a>(&'a str);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(
            |c| {
                if c.is_control() { write!(f, "{}", c.escape_default()) } else { f.write_char(c) }
            },
        )
    }
}

/// A value that is carried but never shown, not even by `Debug`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hidden<T>(pub T);

impl<T> fmt::Debug for Hidden<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

impl<T> fmt::Display for Hidden<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, Hidden, Text};

    #[test]
    fn an_address_keeps_its_first_letter_and_its_domain() {
        assert_eq!(Address("maria.lópez@example.com").to_string(), "m***@example.com");
        assert_eq!(Address("é@example.com").to_string(), "***@example.com");
        assert_eq!(Address("nothing").to_string(), "***");
        assert_eq!(Address("a\nb@c\r\nd").to_string(), "a***@c\\r\\nd");
    }

    #[test]
    fn addresses_in_a_reply_are_masked_wherever_they_stand() {
        let reply = "550 5.1.1 <maria@example.com>: Recipient rejected, see \"help@mx.example\"";
        assert_eq!(
            Text(reply).to_string(),
            "550 5.1.1 <m***@example.com>: Recipient rejected, see \"h***@mx.example\""
        );
    }

    #[test]
    fn a_text_stays_on_one_line_and_within_its_limit() {
        assert_eq!(Text("a\r\nb\u{1b}[31m").to_string(), "a\\r\\nb\\u{1b}[31m");
        let long = Text(&"ä".repeat(600)).to_string();
        assert_eq!(long.chars().count(), 501);
    }

    #[test]
    fn hidden_is_hidden() {
        assert_eq!(format!("{:?} {}", Hidden("x"), Hidden(7)), "[hidden] [hidden]");
    }
}
