//! Each finished mail: what receivers refuse whatever the DNS says (RFC 5322, RFC 5321).

use memchr::memchr;

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

/// What is wrong with a message; empty if nothing is. Every mail is looked at: its octets are read once.
#[must_use]
pub fn check(raw: &[u8]) -> Vec<Finding> {
    let mut seen = Seen { in_head: true, ..Seen::default() };
    let mut rest = raw;
    while let Some(end) = memchr(b'\n', rest) {
        let (line, after) = (&rest[..end], &rest[end + 1..]);
        match line.strip_suffix(b"\r") {
            Some(line) => seen.line(line),
            None => {
                seen.bare_end = true;
                seen.line(line);
            }
        }
        rest = after;
    }
    seen.line(rest);
    seen.findings()
}

/// What was seen of a message so far.
#[derive(Default)]
struct Seen {
    in_head: bool,
    from: usize,
    date: usize,
    id: usize,
    /// Parts that say what they are.
    kinds: usize,
    /// A part says that it is plain text.
    text: bool,
    longest: usize,
    bare_end: bool,
}

impl Seen {
    /// A line without its end.
    fn line(&mut self, line: &[u8]) {
        self.longest = self.longest.max(line.len());
        self.bare_end |= memchr(b'\r', line).is_some();
        self.in_head &= !line.is_empty();
        if self.in_head && !line.starts_with(b" ") && !line.starts_with(b"\t") {
            self.field(line);
        }
        self.kind(line);
    }

    fn field(&mut self, line: &[u8]) {
        let name = line.split(|b| *b == b':').next().unwrap_or_default().trim_ascii_end();
        for (wanted, count) in [("From", &mut self.from), ("Date", &mut self.date), ("Message-ID", &mut self.id)] {
            *count += usize::from(name.eq_ignore_ascii_case(wanted.as_bytes()));
        }
    }

    /// Lines are read and not parts: what is looked at was made here.
    fn kind(&mut self, line: &[u8]) {
        const NAME: &[u8] = b"content-type:";
        const PLAIN: &[u8] = b"text/plain";
        let begins =
            |line: &[u8], word: &[u8]| line.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
        if begins(line, NAME) {
            self.kinds += 1;
            self.text |= begins(line[NAME.len()..].trim_ascii_start(), PLAIN);
        }
    }

    fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut needs =
            |rule: Rule, found: Option<String>| findings.extend(found.map(|found| rule.broken("message", found)));
        for (rule, name, count) in [(FROM, "From", self.from), (DATE, "Date", self.date), (ID, "Message-ID", self.id)] {
            needs(rule, (count != 1).then(|| format!("{count} {name} headers: there has to be one")));
        }
        // Where nothing says what it is, all of it is plain text (RFC 2045 §5.2).
        let has_text = self.text || self.kinds == 0;
        needs(TEXT, (!has_text).then(|| "there is no text part".to_owned()));
        let too_long = self.longest > LONGEST;
        needs(LINES, too_long.then(|| format!("a line of {} octets, {LONGEST} are allowed", self.longest)));
        needs(ENDS, self.bare_end.then(|| "a CR or LF stands alone".to_owned()));
        findings
    }
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
