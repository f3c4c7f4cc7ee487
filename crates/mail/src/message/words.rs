//! Text in headers: as it stands where that is safe, as encoded words (RFC 2047) where it is not.
//!
//! The builder encodes what is not ASCII, word by word. What it would not bring across is encoded here: text that looks
//! like an encoded word, which readers would decode into something else, words too long for a line, and several blanks
//! beside a word that is not ASCII.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Octets of text in one encoded word, which may have 75 in all (RFC 2047 §2).
const CHUNK: usize = 42;
/// A longer word is not left to stand.
const MAX_WORD: usize = 200;

/// Whether `text` must not be left to the builder.
pub(super) fn needs_care(text: &str) -> bool {
    text.contains("=?")
        || (text.contains("  ") && !text.is_ascii())
        || text.split(' ').any(|word| word.len() > MAX_WORD)
}

/// `text` for the value of a header field: as it stands if it is ASCII, else as encoded words with blanks between.
#[must_use]
pub fn ascii_words(text: &str) -> String {
    if text.is_ascii() && !needs_care(text) { text.to_owned() } else { encoded(text).replace("\r\n ", " ") }
}

/// `text` as encoded words, one a line.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = rest.len().min(CHUNK);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (chunk, after) = rest.split_at(end);
        if !out.is_empty() {
            out.push_str("\r\n ");
        }
        out.push_str("=?utf-8?B?");
        out.push_str(&STANDARD.encode(chunk));
        out.push_str("?=");
        rest = after;
    }
    out
}
