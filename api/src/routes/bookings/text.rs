//! The checks of single fields, collecting what is wrong under one path.

use axum::http::Uri;
use job::FieldError;

/// The longest URL, in bytes.
const LONGEST_URL: usize = 2_000;

/// What is wrong so far.
#[derive(Debug)]
pub struct Checks {
    under: &'static str,
    found: Vec<FieldError>,
}

impl Checks {
    /// Nothing found yet; fields are named under this path.
    pub fn under(path: &'static str) -> Self {
        Self { under: path, found: Vec::new() }
    }

    /// What was found.
    pub fn found(&self) -> &[FieldError] {
        &self.found
    }

    /// What was found, to keep.
    pub fn into_found(self) -> Vec<FieldError> {
        self.found
    }

    /// Whether something is wrong with this field.
    pub fn has(&self, field: &str) -> bool {
        let path = format!("{}.{field}", self.under);
        self.found.iter().any(|e| e.field == path)
    }

    /// This field is wrong.
    pub fn wrong(&mut self, field: impl AsRef<str>, message: impl Into<String>) {
        self.found.push(FieldError::new(format!("{}.{}", self.under, field.as_ref()), message));
    }

    /// One line of text, 1 to `longest` bytes, of which something can be seen.
    pub fn line(&mut self, field: impl AsRef<str>, text: &str, longest: usize) {
        if text.chars().any(is_unprintable) {
            self.wrong(field, "control characters and line breaks are not allowed");
        } else if !text.chars().any(is_visible) || text.len() > longest {
            self.wrong(field, format!("1 to {longest} bytes of text are expected"));
        }
    }

    /// [`Checks::line`], if there is one.
    pub fn line_if(&mut self, field: &str, text: Option<&str>, longest: usize) {
        if let Some(text) = text {
            self.line(field, text, longest);
        }
    }

    /// Text that may have several lines, 1 to `longest` bytes, if there is one.
    pub fn text_if(&mut self, field: &str, text: Option<&str>, longest: usize) {
        let Some(text) = text else { return };
        if text.chars().any(|c| is_unprintable(c) && c != '\n') {
            self.wrong(field, "control characters are not allowed, apart from line feeds");
        } else if !text.chars().any(is_visible) || text.len() > longest {
            self.wrong(field, format!("1 to {longest} bytes of text are expected"));
        }
    }

    /// An absolute http or https URL without user and password, in ASCII (RFC 3986), if there is one.
    pub fn url_if(&mut self, field: &str, url: Option<&str>) {
        let Some(url) = url else { return };
        let parsed: Option<Uri> = if url.len() <= LONGEST_URL { url.parse().ok() } else { None };
        let fits = parsed.is_some_and(|uri| {
            let web = matches!(uri.scheme_str(), Some("http" | "https"));
            let host = uri.authority().is_some_and(|a| !a.host().is_empty() && !a.as_str().contains('@'));
            web && host && url.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b))
        });
        if !fits {
            self.wrong(field, format!("an http or https URL of at most {LONGEST_URL} ASCII characters is expected"));
        }
    }

    /// An amount such as `45.00` and a currency such as `USD`.
    pub fn price(&mut self, field: &str, amount: &str, currency: &str) {
        let digits = |s: &str, most: usize| (1..=most).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit());
        let (whole, fraction) = amount.split_once('.').unwrap_or((amount, "0"));
        if !digits(whole, 12) || !digits(fraction, 4) {
            self.wrong(format!("{field}.amount"), "a decimal number as text is expected, such as \"45.00\"");
        }
        if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
            self.wrong(format!("{field}.currency"), "three capital letters are expected, such as USD");
        }
    }
}

/// Controls, and the bidirectional overrides that make a text read as something that it is not.
fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Whether a reader sees something of it. Joiners, marks of direction, soft hyphens, fillers and the like are allowed within
/// a text; one of nothing else is none.
fn is_visible(c: char) -> bool {
    let unseen = matches!(c, '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{2800}'
        | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}');
    !unseen && !c.is_whitespace() && !c.is_control()
}

/// An id of the caller's: `[A-Za-z0-9._~-]{1,128}`.
pub fn is_id(id: &str) -> bool {
    // Whoever tidies a path up on its way would lose these two.
    let is_step = matches!(id, "." | "..");
    !is_step && (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._~-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_absolute_http_without_a_user() {
        for (url, fits) in [
            ("https://meet.example.com/b/1001?x=1#y", true),
            ("http://localhost:8080", true),
            ("javascript:alert(1)", false),
            ("https://user:pw@example.com/", false),
            ("https://example.com/\r\nX: y", false),
            ("https://example.com/\"><script>", false),
            ("/relative", false),
            ("ftp://example.com", false),
            ("", false),
        ] {
            let mut checks = Checks::under("b");
            checks.url_if("url", Some(url));
            assert_eq!(checks.found().is_empty(), fits, "{url}");
        }
    }

    #[test]
    fn a_line_has_something_to_see() {
        for (text, fits) in [
            ("Zoë", true),
            ("👩\u{200D}🏫", true),
            ("می\u{200C}خواهم", true),
            ("\u{FEFF}", false),
            ("\u{AD}\u{200B} \u{3164}", false),
            ("\u{E0020}\u{2060}", false),
            (" ", false),
        ] {
            let mut checks = Checks::under("b");
            checks.line("name", text, 200);
            checks.text_if("reason", Some(text), 200);
            assert_eq!(checks.found().is_empty(), fits, "{text:?}");
        }
    }

    #[test]
    fn amounts_are_decimal_text() {
        for (amount, fits) in
            [("45.00", true), ("0", true), ("1.", false), (".5", false), ("-1", false), ("1e3", false)]
        {
            let mut checks = Checks::under("b");
            checks.price("price", amount, "EUR");
            assert_eq!(checks.found().is_empty(), fits, "{amount}");
        }
    }
}
