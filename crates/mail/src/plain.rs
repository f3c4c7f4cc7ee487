//! The plain text of a caller's HTML, for the text part that every mail has.
//!
//! What turning HTML into text costs grows with the square of how deep its elements lie in each other, so size and depth
//! are looked at first: no mail that a person made comes near either limit.

/// Where lines are broken.
const WIDTH: usize = 78;
/// The most bytes of HTML that are turned into text.
pub const LARGEST_HTML: usize = 512 << 10;
/// How deep elements may lie in each other.
pub const DEEPEST_HTML: usize = 150;

/// Elements that end by themselves, or with the next of their kind (HTML, "optional tags" and "void elements").
const ENDS_BY_ITSELF: [&str; 24] = [
    "area", "base", "br", "col", "dd", "dt", "embed", "hr", "img", "input", "li", "link", "meta", "option", "p",
    "param", "source", "tbody", "td", "th", "thead", "tr", "track", "wbr",
];

/// HTML that is too large, or too deep, to be turned into text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("larger than {LARGEST_HTML} bytes, or its elements lie deeper than {DEEPEST_HTML} in each other")]
pub struct TooMuch;

/// The text that `html` says, links as `[text][1]` with their targets at the end. Styles, scripts and what is commented out
/// say nothing.
///
/// # Errors
/// [`TooMuch`]. Permanent: its sender has to write the text part.
pub fn plain_text(html: &str) -> Result<String, TooMuch> {
    if html.len() > LARGEST_HTML || is_too_deep(html) {
        return Err(TooMuch);
    }
    Ok(html2text::from_read(html.as_bytes(), WIDTH).map(|text| text.trim().to_owned()).unwrap_or_default())
}

/// Counts what was opened and not closed. More than a browser would see at times (in a comment, say), never less.
fn is_too_deep(html: &str) -> bool {
    let mut depth = 0_usize;
    for tag in html.split('<').skip(1) {
        let (closes, rest) = match tag.strip_prefix('/') {
            Some(rest) => (true, rest),
            None => (false, tag),
        };
        let name = rest.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        if !name.starts_with(|c: char| c.is_ascii_alphabetic())
            || ENDS_BY_ITSELF.iter().any(|other| other.eq_ignore_ascii_case(name))
        {
            continue;
        }
        depth = if closes { depth.saturating_sub(1) } else { depth + 1 };
        if depth > DEEPEST_HTML {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_and_the_links_are_kept_and_the_rest_is_not() {
        let text = plain_text(
            "<html><head><title>T</title><style>p { color: red }</style></head><body><h1>Hello Zoë</h1>\
             <p>See <a href=\"https://example.com/x\">your lesson</a> &amp; come.</p><script>alert(1)</script></body>",
        )
        .unwrap();
        assert!(text.contains("Hello Zoë") && text.contains("your lesson") && text.contains("& come."), "{text}");
        assert!(text.contains("https://example.com/x"), "{text}");
        assert!(!text.contains("color") && !text.contains("alert") && !text.contains('<'), "{text}");
        assert_eq!(plain_text("<p> </p>").unwrap(), "");
    }

    #[test]
    fn what_would_take_long_is_refused_and_long_flat_mails_are_not() {
        for deep in ["<div>", "<DIV class='a'>", "<b x>", "<blockquote>", "<table><tr><td>", "<x-y>"] {
            assert_eq!(plain_text(&deep.repeat(50_000)), Err(TooMuch), "{deep}");
            assert_eq!(plain_text(&deep.repeat(DEEPEST_HTML + 1)), Err(TooMuch), "{deep}");
            assert!(plain_text(&deep.repeat(DEEPEST_HTML)).is_ok(), "{deep}");
        }
        assert_eq!(plain_text(&"a ".repeat(LARGEST_HTML)), Err(TooMuch));
        for flat in ["<p>One<br>two<hr>", "<div>a</div>", "<ul><li>a<li>b</ul>", "1 < 2 & 3 <4 "] {
            assert!(plain_text(&flat.repeat(2_000)).is_ok(), "{flat}");
        }
    }
}
