//! Quoted-printable (RFC 2045 §6.7) for the text parts: one pass over a text that may be long, for every mail.
//!
//! 1. Each line of the text becomes one or several lines of at most 76 octets; a soft break is an `=` at a line's end.
//! 2. Printable ASCII stands for itself, all else is `=` and two hexadecimal digits. A blank at the end of a line is
//!    encoded too: servers on the way take such blanks away.
//! 3. Control characters that no reader can be shown are refused; LF and CRLF both end a line.

/// Octets of a line, its end not counted.
const MAX_LINE: usize = 76;
const HEX: [u8; 16] = *b"0123456789ABCDEF";

/// The text has a control character other than a tab or a line end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Control;

/// The text, encoded, with CRLF line ends.
pub(super) fn encode(text: &str) -> Result<Vec<u8>, Control> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 8 + 64);
    let mut lines = text.split('\n').peekable();
    while let Some(line) = lines.next() {
        let more = lines.peek().is_some();
        // What stands before an LF may be the CR of a CRLF.
        let line = if more { line.strip_suffix('\r').unwrap_or(line) } else { line };
        encode_line(line.as_bytes(), &mut out)?;
        if more {
            out.extend_from_slice(b"\r\n");
        }
    }
    Ok(out)
}

fn encode_line(line: &[u8], out: &mut Vec<u8>) -> Result<(), Control> {
    let Some(last) = line.len().checked_sub(1) else { return Ok(()) };
    let (mut at, mut column) = (0, 0);
    while at < last {
        // A run that stands for itself; the last octet has rules of its own, and a soft break needs room.
        let end = last.min(at + MAX_LINE - 1 - column);
        let run = line[at..end].iter().position(|octet| !stands_for_itself(*octet)).unwrap_or(end - at);
        out.extend_from_slice(&line[at..at + run]);
        (at, column) = (at + run, column + run);
        if at == last {
            break;
        }
        let octet = line[at];
        let width = if stands_for_itself(octet) { 1 } else { 3 };
        if column + width > MAX_LINE - 1 {
            out.extend_from_slice(b"=\r\n");
            column = 0;
            continue;
        }
        refuse_control(line, at)?;
        push_hex(octet, out);
        (at, column) = (at + 1, column + 3);
    }
    let octet = line[last];
    let plain = stands_for_itself(octet) && octet != b' ' && octet != b'\t';
    if column + if plain { 1 } else { 3 } > MAX_LINE {
        out.extend_from_slice(b"=\r\n");
    }
    if plain {
        out.push(octet);
    } else {
        if octet != b'\t' {
            refuse_control(line, last)?;
        }
        push_hex(octet, out);
    }
    Ok(())
}

fn stands_for_itself(octet: u8) -> bool {
    matches!(octet, b'\t' | b' '..=b'<' | b'>'..=b'~')
}

/// C0 and DEL are one octet; C1 (U+0080 to U+009F) are two in UTF-8, the first of them C2.
fn refuse_control(line: &[u8], at: usize) -> Result<(), Control> {
    let c1 = line[at] == 0xc2 && line.get(at + 1).is_some_and(|next| *next < 0xa0);
    if line[at] < b' ' || line[at] == 0x7f || c1 { Err(Control) } else { Ok(()) }
}

fn push_hex(octet: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'=', HEX[usize::from(octet >> 4)], HEX[usize::from(octet & 15)]]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(text: &str) -> String {
        String::from_utf8(encode(text).unwrap()).unwrap()
    }

    #[test]
    fn what_the_rfc_shows() {
        assert_eq!(encoded("Now's the time"), "Now's the time");
        assert_eq!(encoded("a=b"), "a=3Db");
        assert_eq!(encoded("blank \nand tab\t\r\n"), "blank=20\r\nand tab=09\r\n");
        assert_eq!(encoded("Zoë"), "Zo=C3=AB");
        assert_eq!(encoded(""), "");
        assert_eq!(encoded("\n\n"), "\r\n\r\n");
    }

    #[test]
    fn lines_have_at_most_76_octets() {
        assert_eq!(encoded(&"x".repeat(76)), "x".repeat(76));
        assert_eq!(encoded(&"x".repeat(77)), format!("{}=\r\nxx", "x".repeat(75)));
        assert_eq!(encoded(&format!("{}=", "x".repeat(73))), format!("{}=3D", "x".repeat(73)));
        assert_eq!(encoded(&format!("{}=", "x".repeat(74))), format!("{}=\r\n=3D", "x".repeat(74)));
        assert_eq!(encoded(&format!("{} ", "x".repeat(75))), format!("{}=\r\n=20", "x".repeat(75)));
    }

    #[test]
    fn what_cannot_be_shown_is_refused() {
        for text in ["a\0b", "a\u{1b}", "\u{7f}", "a\rb", "\r", "a\u{85}b", "\u{80}", "\u{9f}x"] {
            assert_eq!(encode(text), Err(Control), "{text:?}");
        }
        assert_eq!(encoded("a\tb\u{a0}c"), "a\tb=C2=A0c");
    }

    proptest! {
        /// A decoder that is not ours reads back what was written, whatever it is.
        #[test]
        fn anything_can_be_read_back(text in "(\\PC|[ \t=.ß漢😀]|\n|\r\n){0,400}") {
            prop_assume!(!text.chars().any(|c| c.is_control() && !"\n\r\t".contains(c)));
            prop_assume!(!text.replace("\r\n", "").contains('\r'));
            let out = encode(&text).unwrap();
            prop_assert!(out.is_ascii());
            let lines: Vec<&[u8]> = out.split(|octet| *octet == b'\n').collect();
            prop_assert!(lines.iter().all(|line| line.strip_suffix(b"\r").unwrap_or(line).len() <= MAX_LINE));
            prop_assert!(!lines.iter().any(|line| line.strip_suffix(b"\r").unwrap_or(line).ends_with(b" ")));
            let read = mail_parser::decoders::quoted_printable::quoted_printable_decode(&out).unwrap_or_default();
            prop_assert_eq!(String::from_utf8(read).unwrap().replace("\r\n", "\n"), text.replace("\r\n", "\n"));
        }

        /// Refused is what the language calls a control, and nothing else.
        #[test]
        fn controls_are_those_of_unicode(text in "[\\x00-\u{ff}]{0,20}") {
            let bad = |c: char| c.is_control() && c != '\n' && c != '\t';
            prop_assert_eq!(encode(&text).is_err(), text.replace("\r\n", "\n").chars().any(bad));
        }
    }
}
