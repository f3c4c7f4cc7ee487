//! What people typed, and where they came from, as far as it may be kept.

use axum::http::Uri;
use axum::http::uri::Scheme;
use unicode_normalization::UnicodeNormalization;

/// The longest query that is told apart from others, in characters.
const LONGEST_QUERY: usize = 200;

/// A query as it is kept: in compatibility form (NFKC), lower case, single spaces, at most 200 characters, without control
/// characters and characters that nobody sees.
pub fn typed(query: &str) -> String {
    // Lower case may take a character apart: it is composed again.
    let lower = query.nfkc().flat_map(char::to_lowercase).filter(|c| !is_unseen(*c)).nfc().collect::<String>();
    let words = lower.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let mut text = String::with_capacity(lower.len());
    for word in words {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
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

/// Characters of the general category Cf (format), as of Unicode 17.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{600}'..='\u{605}' | '\u{61C}' | '\u{6DD}' | '\u{70F}' | '\u{890}'..='\u{891}' | '\u{8E2}' | '\u{180E}'
        | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206F}' | '\u{FEFF}'
        | '\u{FFF9}'..='\u{FFFB}' | '\u{110BD}' | '\u{110CD}' | '\u{13430}'..='\u{1343F}' | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0001}' | '\u{E0020}'..='\u{E007F}')
}

/// Where somebody came from: scheme and host, with consent the path too. Never what stands before `@` or behind `?` and
/// `#`. None for what is no address of a web page.
pub fn referrer(url: &str, consent: bool) -> Option<String> {
    let page: Uri = url.split('#').next()?.parse().ok()?;
    let scheme = page.scheme().filter(|scheme| **scheme == Scheme::HTTP || **scheme == Scheme::HTTPS)?;
    let host = page.host().filter(|host| !host.is_empty())?;
    let port = page.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path = if consent { page.path() } else { "" };
    Some(format!("{scheme}://{host}{port}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_counted_together_whatever_their_case_form_and_spaces() {
        assert_eq!(typed("  Piano\tLESSONS \n Łódź "), "piano lessons łódź");
        assert_eq!(typed("a\u{0}b\u{7}"), "a b");
        assert_eq!(typed(" \n "), "");
        assert_eq!(typed(&"ü ".repeat(500)).chars().count(), 199);
        for (composed, other) in [
            ("łódź", "Ło\u{301}dz\u{301}"),
            ("piano", "ｐｉａｎｏ"),
            ("piano", "pi\u{AD}a\u{200B}no\u{FEFF}"),
            ("ana@x", "ana＠x"),
        ] {
            assert_eq!(typed(other), composed);
        }
        assert_eq!(typed("İ"), typed("i\u{307}"));
    }

    #[test]
    fn a_referrer_loses_what_may_say_too_much() {
        for (url, with, without) in [
            ("https://a.test/b/c?q=ana#x", Some("https://a.test/b/c"), Some("https://a.test")),
            ("http://a.test:8080/b", Some("http://a.test:8080/b"), Some("http://a.test:8080")),
            ("https://ana:secret@a.test/b", Some("https://a.test/b"), Some("https://a.test")),
            ("https://a.test", Some("https://a.test/"), Some("https://a.test")),
            ("mailto:ana@example.com", None, None),
            ("android-app://com.example.ana/", None, None),
            ("https:\\\\a.test\\ana", None, None),
            ("https://a.test\\ana@b.test", None, None),
            ("a.test/b", None, None),
            ("/ana", None, None),
            ("", None, None),
        ] {
            assert_eq!(referrer(url, true).as_deref(), with, "{url}");
            assert_eq!(referrer(url, false).as_deref(), without, "{url}");
        }
    }
}
