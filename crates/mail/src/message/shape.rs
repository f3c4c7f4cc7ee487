//! The last look at a message before it may be signed: what every receiver asks of its bytes.
//!
//! The builder makes messages that pass; this is the proof of it for every single one, and the check for messages that
//! come from elsewhere. It reads the bytes once.

use memchr::memchr;

/// What is wrong with the shape of a message (RFC 5322).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// A line has more than 998 octets (§2.1.1). Counted from 1.
    #[error("line {0} is longer than 998 octets")]
    LongLine(usize),
    /// A CR without LF or an LF without CR (§2.3).
    #[error("line {0} has a bare CR or LF")]
    BareLineEnd(usize),
    /// An octet 0 (§4.1 allows it to old software only).
    #[error("line {0} has a NUL")]
    Nul(usize),
    /// A field that has to be there exactly once is there so often (§3.6).
    #[error("the header field {name} is there {count} times")]
    Count {
        /// The field's name.
        name: &'static str,
        /// How often it is there.
        count: usize,
    },
}

/// Octets of a line, without its end.
const MAX_LINE: usize = 998;
/// Fields that have to be there once. RFC 5322 §3.6 asks for From and Date; receivers ask for the others too.
const ONCE: [&str; 5] = ["From", "To", "Subject", "Date", "Message-ID"];

/// Checks line lengths, line ends, NUL, and that From, To, Subject, Date and Message-ID are there exactly once.
///
/// # Errors
/// [`ShapeError`], the first that is found.
pub fn check_shape(message: &[u8]) -> Result<(), ShapeError> {
    let mut counts = [0; ONCE.len()];
    let (mut in_head, mut number) = (true, 0);
    let mut rest = message;
    while !rest.is_empty() {
        number += 1;
        let end = memchr(b'\n', rest);
        let (line, after) = match end {
            Some(end) => (rest[..end].strip_suffix(b"\r").ok_or(ShapeError::BareLineEnd(number))?, &rest[end + 1..]),
            None => (rest, &rest[rest.len()..]),
        };
        if line.len() > MAX_LINE {
            return Err(ShapeError::LongLine(number));
        }
        if line.contains(&b'\r') {
            return Err(ShapeError::BareLineEnd(number));
        }
        if line.contains(&0) {
            return Err(ShapeError::Nul(number));
        }
        in_head &= !line.is_empty();
        if in_head {
            count(line, &mut counts);
        }
        rest = after;
    }
    match ONCE.into_iter().zip(counts).find(|(_, count)| *count != 1) {
        Some((name, count)) => Err(ShapeError::Count { name, count }),
        None => Ok(()),
    }
}

fn count(line: &[u8], counts: &mut [usize; ONCE.len()]) {
    for (name, count) in ONCE.iter().zip(counts) {
        let named = line.len() > name.len() && line[..name.len()].eq_ignore_ascii_case(name.as_bytes());
        // Old software writes blanks before the colon (§4.5).
        if named && line[name.len()..].trim_ascii_start().starts_with(b":") {
            *count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "From: a@b.example\r\nTo: c@d.example\r\nSubject: x\r\nDate: y\r\nMessage-ID: <z@b.example>\r\n";

    fn check(message: &str) -> Result<(), ShapeError> {
        check_shape(message.as_bytes())
    }

    #[test]
    fn a_plain_message_passes_and_fields_in_the_body_do_not_count() {
        assert_eq!(check(&format!("{HEAD}\r\nFrom: here on\r\n")), Ok(()));
        assert_eq!(check(&format!("{HEAD}\r\n{}\r\n", "x".repeat(998))), Ok(()));
        assert_eq!(check(&format!("{HEAD}\r\nno end of line")), Ok(()));
    }

    #[test]
    fn lines_that_are_too_long_or_badly_ended_are_found() {
        assert_eq!(check(&format!("{HEAD}\r\n{}\r\n", "x".repeat(999))), Err(ShapeError::LongLine(7)));
        assert_eq!(check(&format!("{HEAD}\r\na\nb\r\n")), Err(ShapeError::BareLineEnd(7)));
        assert_eq!(check(&format!("{HEAD}\r\na\rb\r\n")), Err(ShapeError::BareLineEnd(7)));
        assert_eq!(check(&format!("{HEAD}\r\na\r\r\n")), Err(ShapeError::BareLineEnd(7)));
        assert_eq!(check(&format!("{HEAD}\r\na\0\r\n")), Err(ShapeError::Nul(7)));
    }

    #[test]
    fn what_must_be_there_once_is_there_once() {
        assert_eq!(check("Subject: x\r\n\r\n"), Err(ShapeError::Count { name: "From", count: 0 }));
        let twice = format!("{HEAD}from : e@f.example\r\n\r\n");
        assert_eq!(check(&twice), Err(ShapeError::Count { name: "From", count: 2 }));
        let no_date = HEAD.replace("Date", "Updated");
        assert_eq!(check(&no_date), Err(ShapeError::Count { name: "Date", count: 0 }));
    }
}
