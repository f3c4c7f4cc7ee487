//! What people typed, and where they came from, as far as it may be kept.

/// The longest query that is told apart from others, in characters.
const LONGEST_QUERY: usize = 200;
/// Digits in a row that may be somebody's number.
const NUMBER: usize = 6;
/// What stands for what was taken out.
const MASK: char = '•';

/// A query as it is counted: lower case, single spaces, at most 200 characters, no control characters.
pub fn counted(query: &str) -> String {
    let mut text = String::with_capacity(query.len());
    for word in query.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !text.is_empty() {
            text.push(' ');
        }
        text.extend(word.chars().flat_map(char::to_lowercase));
    }
    match text.char_indices().nth(LONGEST_QUERY) {
        Some((end, _)) => {
            text.truncate(end);
            text.truncate(text.trim_end().len());
            text
        }
        None => text,
    }
}

/// The same without what may say who somebody is: addresses, and digits in a row.
pub fn anonymous(query: &str) -> String {
    let masked = query.split(' ').map(|word| match word.contains('@') {
        true => MASK.to_string(),
        false => without_numbers(word),
    });
    masked.collect::<Vec<_>>().join(" ")
}

/// Digits in a row, also with the signs between them that people write telephone numbers with.
fn without_numbers(word: &str) -> String {
    let part = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '/' | '.' | '(' | ')');
    let (mut out, mut rest) = (String::with_capacity(word.len()), word);
    while let Some(start) = rest.find(part) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c| !part(c)).unwrap_or(from.len());
        let (number, after) = from.split_at(end);
        out.push_str(before);
        match number.bytes().filter(u8::is_ascii_digit).count() >= NUMBER {
            true => out.push(MASK),
            false => out.push_str(number),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// A referrer without what stands behind `?` and `#`; without consent nothing but the place itself.
pub fn referrer(url: &str, consent: bool) -> &str {
    let url = url.split(['?', '#']).next().unwrap_or(url);
    if consent {
        return url;
    }
    let host_from = url.find("://").map_or(0, |at| at + 3);
    let end = url[host_from..].find('/').map_or(url.len(), |at| host_from + at);
    &url[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_counted_together_whatever_their_case_and_spaces() {
        assert_eq!(counted("  Piano\tLESSONS \n Łódź "), "piano lessons łódź");
        assert_eq!(counted("a\u{0}b\u{7}"), "a b");
        assert_eq!(counted(" \n "), "");
        assert_eq!(counted(&"ü ".repeat(500)).chars().count(), 199);
    }

    #[test]
    fn what_may_name_somebody_is_taken_out() {
        assert_eq!(anonymous("piano with ana@example.com"), "piano with •");
        assert_eq!(anonymous("call +49-170/1234567 now"), "call • now");
        assert_eq!(anonymous("maths grade 10 2026"), "maths grade 10 2026");
    }

    #[test]
    fn a_referrer_loses_what_may_say_too_much() {
        assert_eq!(referrer("https://a.test/b/c?q=ana#x", true), "https://a.test/b/c");
        assert_eq!(referrer("https://a.test/b/c?q=ana", false), "https://a.test");
        assert_eq!(referrer("a.test/b", false), "a.test");
    }
}
