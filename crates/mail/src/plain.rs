//! The plain text of a caller's HTML, for the text part that every mail has.

/// Where lines are broken.
const WIDTH: usize = 78;

/// The text that `html` says, links as `[text][1]` with their targets at the end. Styles, scripts and what is commented out
/// say nothing.
#[must_use]
pub fn plain_text(html: &str) -> String {
    html2text::from_read(html.as_bytes(), WIDTH).map(|text| text.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_and_the_links_are_kept_and_the_rest_is_not() {
        let text = plain_text(
            "<html><head><title>T</title><style>p { color: red }</style></head><body><h1>Hello Zoë</h1>\
             <p>See <a href=\"https://example.com/x\">your lesson</a> &amp; come.</p><script>alert(1)</script></body>",
        );
        assert!(text.contains("Hello Zoë") && text.contains("your lesson") && text.contains("& come."), "{text}");
        assert!(text.contains("https://example.com/x"), "{text}");
        assert!(!text.contains("color") && !text.contains("alert") && !text.contains('<'), "{text}");
        assert_eq!(plain_text("<p> </p>"), "");
    }
}
