//! A message as it follows a 354, to its dot (RFC 5321 §4.5.2): made in one pass and written in one call, because it is the
//! longest thing that a mail has to say.

use std::fmt;
use std::string::FromUtf8Error;

use memchr::memchr;

const END: &[u8] = b"\r\n.\r\n";

/// The message with a dot before each line that begins with one, and the dot at its end.
pub(super) struct AsData(String);

impl AsData {
    /// # Errors
    /// The message is not UTF-8.
    pub(super) fn new(message: &[u8]) -> Result<Self, FromUtf8Error> {
        // Its last line end is that of the dot.
        let message = message.strip_suffix(b"\r\n").unwrap_or(message);
        let mut out = Vec::with_capacity(message.len() + END.len() + 16);
        let (mut rest, mut starts_line) = (message, true);
        loop {
            if starts_line && rest.starts_with(b".") {
                out.push(b'.');
            }
            let Some(end) = memchr(b'\n', rest) else { break };
            let (line, after) = rest.split_at(end + 1);
            out.extend_from_slice(line);
            starts_line = line.ends_with(b"\r\n");
            rest = after;
        }
        out.extend_from_slice(rest);
        out.extend_from_slice(END);
        String::from_utf8(out).map(Self)
    }
}

impl fmt::Display for AsData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(message: &str) -> String {
        AsData::new(message.as_bytes()).unwrap().to_string()
    }

    #[test]
    fn a_dot_at_the_start_of_a_line_is_doubled_and_no_other() {
        assert_eq!(data("a\r\n"), "a\r\n.\r\n");
        assert_eq!(data("a"), "a\r\n.\r\n");
        assert_eq!(data(""), "\r\n.\r\n");
        assert_eq!(data("."), "..\r\n.\r\n");
        assert_eq!(data("a\r\n.\r\nb.c\r\n..d\r\n"), "a\r\n..\r\nb.c\r\n...d\r\n.\r\n");
        assert_eq!(data("a\r\n\r\n.b\r\n"), "a\r\n\r\n..b\r\n.\r\n");
    }

    #[test]
    fn the_end_of_a_message_stands_once_and_at_its_end() {
        for message in ["a\r\n.\r\nMAIL FROM:<x@y.test>\r\n", ".\r\n", "\r\n.\r\n", "..", "\r\n"] {
            let data = data(message);
            assert_eq!(data.find("\r\n.\r\n"), Some(data.len() - END.len()), "{message:?}");
        }
    }

    #[test]
    fn what_is_no_text_is_left_to_others() {
        assert!(AsData::new(b"a\xff").is_err());
    }
}
