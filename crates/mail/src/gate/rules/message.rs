//! Each finished mail: what receivers refuse whatever the DNS says (RFC 5322, RFC 5321).

use crate::gate::report::{Finding, Rule, Severity};

const FROM: Rule = Rule { id: "message.from", broken: Severity::Block, source: "RFC 5322 §3.6" };
const DATE: Rule = Rule { id: "message.date", broken: Severity::Block, source: "RFC 5322 §3.6" };
const ID: Rule = Rule { id: "message.id", broken: Severity::Block, source: "RFC 5322 §3.6.4" };
const TEXT: Rule = Rule { id: "message.text", broken: Severity::Block, source: "RFC 2046 §5.1.4" };
const LINES: Rule = Rule { id: "message.lines", broken: Severity::Block, source: "RFC 5322 §2.1.1" };
const ENDS: Rule = Rule { id: "message.line_ends", broken: Severity::Block, source: "RFC 5321 §2.3.8" };

/// The rules of this family.
pub const RULES: &[Rule] = &[FROM, DATE, ID, TEXT, LINES, ENDS];

/// Octets of a line, its end not counted.
const LONGEST: usize = 998;

/// What is wrong with a message; empty if nothing is.
#[must_use]
pub fn check(raw: &[u8]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut needs =
        |rule: Rule, found: Option<String>| findings.extend(found.map(|found| rule.broken("message", found)));
    for (rule, name) in [(FROM, "From"), (DATE, "Date"), (ID, "Message-ID")] {
        let count = headers(raw).filter(|header| header.eq_ignore_ascii_case(name.as_bytes())).count();
        needs(rule, (count != 1).then(|| format!("{count} {name} headers: there has to be one")));
    }
    needs(TEXT, (!has_text_part(raw)).then(|| "there is no text part".to_owned()));
    let longest = raw.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line).len()).max();
    needs(
        LINES,
        longest.filter(|longest| *longest > LONGEST).map(|n| format!("a line of {n} octets, {LONGEST} are allowed")),
    );
    needs(ENDS, has_bare_ends(raw).then(|| "a CR or LF stands alone".to_owned()));
    findings
}

/// The names of the header fields, up to the empty line.
fn headers(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    raw.split(|b| *b == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .take_while(|line| !line.is_empty())
        .filter(|line| !line.starts_with(b" ") && !line.starts_with(b"\t"))
        .filter_map(|line| line.split(|b| *b == b':').next())
        .map(<[u8]>::trim_ascii_end)
}

/// Whether some part says that it is plain text, or nothing says what it is, which means the same (RFC 2045 §5.2). Lines are
/// read and not parts: what is looked at was made here.
fn has_text_part(raw: &[u8]) -> bool {
    const NAME: &[u8] = b"content-type:";
    const PLAIN: &[u8] = b"text/plain";
    let begins = |line: &[u8], word: &[u8]| line.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
    let mut kinds =
        raw.split(|b| *b == b'\n').filter(|line| begins(line, NAME)).map(|line| line[NAME.len()..].trim_ascii_start());
    match kinds.next() {
        None => true,
        Some(first) => begins(first, PLAIN) || kinds.any(|kind| begins(kind, PLAIN)),
    }
}

fn has_bare_ends(raw: &[u8]) -> bool {
    raw.iter().enumerate().any(|(at, byte)| match byte {
        b'\n' => at == 0 || raw[at - 1] != b'\r',
        b'\r' => raw.get(at + 1) != Some(&b'\n'),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "From: a@b.test\r\nDate: Mon, 23 Nov 2026 08:00:00 +0000\r\nMessage-ID: <1@b.test>\r\n\
                        Content-Type: text/plain\r\n\r\nhello\r\n";

    fn broken(raw: &str) -> Vec<String> {
        check(raw.as_bytes()).into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn a_mail_as_it_should_be_passes() {
        assert_eq!(broken(GOOD), Vec::<String>::new());
        let border = GOOD.replace("hello", &"x".repeat(LONGEST));
        assert_eq!(broken(&border), Vec::<String>::new());
    }

    #[test]
    fn each_fault_is_found_by_its_rule() {
        assert_eq!(broken(&GOOD.replace("From:", "X-From:")), ["message.from"]);
        assert_eq!(broken(&format!("From: c@d.test\r\n{GOOD}")), ["message.from"]);
        assert_eq!(broken(&GOOD.replace("Date:", "X-Date:")), ["message.date"]);
        assert_eq!(
            broken(&GOOD.replace("Message-ID: <1@b.test>", "message-id: <1@b.test>\r\nMessage-Id: <2@b.test>")),
            ["message.id"]
        );
        assert_eq!(broken(&GOOD.replace("text/plain", "text/html")), ["message.text"]);
        assert_eq!(broken(&GOOD.replace("hello", &"x".repeat(LONGEST + 1))), ["message.lines"]);
        assert_eq!(broken(&GOOD.replace("hello\r\n", "hello\n")), ["message.line_ends"]);
        assert_eq!(broken(&GOOD.replace("hello", "hel\rlo")), ["message.line_ends"]);
    }
}
