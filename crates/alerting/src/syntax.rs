//! The text of matchers, as Alertmanager and amtool write them.
//!
//! 1. One is a name (in quotes if one likes), an operator (`=`, `!=`, `=~`, `!~`) and a value, with blanks between them or
//!    without.
//! 2. The value stands in quotes, or bare if it holds none of `"`, `,`, `{` and `}`. In both, `\"`, `\\` and `\n` are escapes,
//!    and any other backslash is itself, so that `=~"a\.b"` means what its author meant.
//! 3. Several stand with commas between, within braces if one likes.

use std::fmt;

use crate::labels::shown;
use crate::matcher::{Matcher, Op};

/// The longest list that is read, in bytes.
const LONGEST: usize = 64 * 1024;

/// A text that is no matcher, or a matcher that cannot be used. Permanent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SyntaxError(String);

impl SyntaxError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// Reads one matcher.
pub(crate) fn parse_one(text: &str) -> Result<Matcher, SyntaxError> {
    let form = || SyntaxError::new(format!("{} is no matcher: severity=\"critical\", team=~\"db|infra\"", shown(text)));
    let text = text.trim();
    let (name, rest) = match text.strip_prefix('"') {
        Some(open) => open.split_once('"').ok_or_else(form)?,
        None => text.split_at(text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).ok_or_else(form)?),
    };
    let rest = rest.trim_start();
    let (op, rest) = [Op::Regex, Op::NotRegex, Op::NotEqual, Op::Equal]
        .into_iter()
        .find_map(|op| Some((op, rest.strip_prefix(op.as_str())?)))
        .ok_or_else(form)?;
    Matcher::new(name, op, value(rest.trim_start())?)
}

/// Reads several: `{a="b", c!~"d|e"}`, `a=b,c=d`. No text at all is no matcher.
///
/// # Errors
/// [`SyntaxError`] for the first that cannot be used.
pub fn parse_list(text: &str) -> Result<Vec<Matcher>, SyntaxError> {
    if text.len() > LONGEST {
        return Err(SyntaxError::new(format!("longer than {LONGEST} bytes")));
    }
    let text = text.trim();
    let inner = match (text.strip_prefix('{'), text.ends_with('}')) {
        (Some(open), true) => &open[..open.len() - 1],
        (None, false) => text,
        // A value may end with a brace, if it is quoted; then the text ends with a quote.
        _ => return Err(SyntaxError::new("a brace is missing its other half")),
    };
    let parts = split(inner);
    let last = parts.len() - 1;
    let filled = parts.into_iter().enumerate().filter(|(i, part)| !(part.trim().is_empty() && *i == last));
    filled.map(|(_, part)| parse_one(part)).collect()
}

/// How a list is written: `{a="b",c!~"d|e"}`.
#[must_use]
pub fn print_list(matchers: &[Matcher]) -> String {
    let texts: Vec<String> = matchers.iter().map(ToString::to_string).collect();
    format!("{{{}}}", texts.join(","))
}

/// At the commas that stand outside quotes; at least one part.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut from) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (i, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(&text[from..i]);
                from = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}

fn value(text: &str) -> Result<String, SyntaxError> {
    let (inner, quoted) = match text.strip_prefix('"') {
        Some(inner) => (inner, true),
        None => (text, false),
    };
    let mut value = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    let mut closed = false;
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.as_str().trim().is_empty() => {
                closed = true;
                break;
            }
            '"' => return Err(SyntaxError::new("a quote within a value is written \\\"")),
            '{' | '}' | ',' if !quoted => {
                return Err(SyntaxError::new(format!("a value with {c} in it is written in quotes")));
            }
            '\\' => match chars.as_str().chars().next() {
                Some(next @ ('"' | '\\')) => {
                    value.push(next);
                    chars.next();
                }
                Some('n') => {
                    value.push('\n');
                    chars.next();
                }
                _ => value.push('\\'),
            },
            c => value.push(c),
        }
    }
    if quoted && !closed {
        return Err(SyntaxError::new("a quote is missing its other half"));
    }
    Ok(value)
}

/// Writes a value in quotes.
pub(crate) fn quote(value: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use fmt::Write as _;
    f.write_char('"')?;
    for c in value.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}
