//! A file that travels with a message: attached, or shown inside its HTML.
//!
//! Name, type and id are written into headers, so they are checked here, once: no control, no line break, no path. The
//! bytes are always sent as base64; whatever they are, no line of them can be taken for a boundary or a header.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lettre::message::header::{ContentDisposition, ContentId, ContentTransferEncoding, ContentType};
use lettre::message::{Body, SinglePart};
use serde::{Deserialize, Serialize};

use super::MessageError;

/// Octets of a file name, as most file systems have it.
const MAX_NAME: usize = 255;
/// Octets of a type.
const MAX_TYPE: usize = 200;
/// Octets of a content id.
const MAX_ID: usize = 100;

/// A file with its name and type. In JSON its bytes are base64 (RFC 4648 §4).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Json", into = "Json")]
pub struct Attachment {
    name: String,
    content_type: String,
    content_id: Option<String>,
    bytes: Vec<u8>,
}

impl Attachment {
    /// A file that is listed beside the message.
    ///
    /// # Errors
    /// [`MessageError::Attachment`]: the name is empty, longer than 255 octets, or has a control, a bidirectional override
    /// or a path separator; the type is no `type/subtype`, or is `multipart/…` or `message/…`, which may not be base64
    /// (RFC 2046 §5.1, §5.2).
    pub fn new(name: &str, content_type: &str, bytes: Vec<u8>) -> Result<Self, MessageError> {
        check_name(name)?;
        let content_type = content_type.trim();
        check_type(content_type)?;
        Ok(Self { name: name.to_owned(), content_type: content_type.to_owned(), content_id: None, bytes })
    }

    /// A picture that the HTML shows as `<img src="cid:content_id">` (RFC 2392).
    ///
    /// # Errors
    /// As [`Attachment::new`]; and if `content_id` is not 1 to 100 of letters, digits and `.-_@`.
    pub fn inline(content_id: &str, name: &str, content_type: &str, bytes: Vec<u8>) -> Result<Self, MessageError> {
        let plain = content_id.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_@".contains(&b));
        if content_id.is_empty() || content_id.len() > MAX_ID || !plain {
            return Err(MessageError::Attachment("content id"));
        }
        Ok(Self { content_id: Some(content_id.to_owned()), ..Self::new(name, content_type, bytes)? })
    }

    /// The file's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file's type, as `image/png`.
    #[must_use]
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// What the HTML calls it, if it is shown there.
    #[must_use]
    pub fn content_id(&self) -> Option<&str> {
        self.content_id.as_deref()
    }

    /// What is in it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn to_part(&self) -> Result<SinglePart, MessageError> {
        let kind = ContentType::parse(&self.content_type).map_err(|_| MessageError::Attachment("type"))?;
        let builder = SinglePart::builder();
        let builder = match &self.content_id {
            Some(id) => builder
                .header(ContentId::from(format!("<{id}>")))
                .header(ContentDisposition::inline_with_name(&self.name)),
            None => builder.header(ContentDisposition::attachment(&self.name)),
        };
        Ok(base64_part(builder.content_type(kind), self.bytes.clone()))
    }
}

/// A part whose body is base64, whatever is in it.
pub(super) fn base64_part(builder: lettre::message::SinglePartBuilder, bytes: Vec<u8>) -> SinglePart {
    let body = Body::new_with_encoding(bytes, ContentTransferEncoding::Base64).expect("base64 takes any bytes");
    builder.body(body)
}

fn check_name(name: &str) -> Result<(), MessageError> {
    let bad = |c: char| {
        c.is_control()
            || matches!(c, '/' | '\\' | '"' | '\u{202A}'..='\u{202E}' | '\u{2028}' | '\u{2029}' | '\u{2066}'..='\u{2069}')
    };
    if name.trim().is_empty() || name.len() > MAX_NAME || name.contains(bad) {
        return Err(MessageError::Attachment("name"));
    }
    Ok(())
}

fn check_type(content_type: &str) -> Result<(), MessageError> {
    let lower = content_type.to_ascii_lowercase();
    let plain = content_type.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    let composed = lower.starts_with("multipart/") || lower.starts_with("message/");
    if content_type.len() > MAX_TYPE || !plain || composed || ContentType::parse(content_type).is_err() {
        return Err(MessageError::Attachment("type"));
    }
    Ok(())
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attachment({}, {} bytes)", self.content_type, self.bytes.len())
    }
}

/// How an attachment is kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    name: String,
    content_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_id: Option<String>,
    content: String,
}

impl TryFrom<Json> for Attachment {
    type Error = MessageError;

    fn try_from(json: Json) -> Result<Self, MessageError> {
        let bytes = STANDARD.decode(&json.content).map_err(|_| MessageError::Attachment("content"))?;
        match json.content_id {
            Some(id) => Self::inline(&id, &json.name, &json.content_type, bytes),
            None => Self::new(&json.name, &json.content_type, bytes),
        }
    }
}

impl From<Attachment> for Json {
    fn from(file: Attachment) -> Self {
        let content = STANDARD.encode(&file.bytes);
        Self { name: file.name, content_type: file.content_type, content_id: file.content_id, content }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_leave_its_header_or_its_folder_is_refused() {
        for name in ["", " ", "a\r\nb", "a\0", "../a", "a\\b", "a\"; x=\"b", "a\u{202E}fdp.exe", &"x".repeat(256)] {
            assert_eq!(Attachment::new(name, "text/plain", vec![]), Err(MessageError::Attachment("name")), "{name:?}");
        }
        for kind in ["", "text", "text/plain\r\nBcc: x", "multipart/mixed", "Message/RFC822", "text/ä"] {
            assert_eq!(Attachment::new("a", kind, vec![]), Err(MessageError::Attachment("type")), "{kind:?}");
        }
        for id in ["", "a b", "a>", "a\n", "ä"] {
            assert_eq!(Attachment::inline(id, "a", "image/png", vec![]), Err(MessageError::Attachment("content id")));
        }
    }

    #[test]
    fn it_is_kept_as_json_and_checked_when_it_is_read_back() {
        let file = Attachment::inline("chart", "Tägliche Suchen.png", "image/png", vec![0, 159, 255]).unwrap();
        let json = serde_json::to_string(&file).unwrap();
        assert_eq!(
            json,
            r#"{"name":"Tägliche Suchen.png","content_type":"image/png","content_id":"chart","content":"AJ//"}"#
        );
        assert_eq!(serde_json::from_str::<Attachment>(&json).unwrap(), file);
        assert!(serde_json::from_str::<Attachment>(&json.replace("AJ//", "§")).is_err());
        assert!(serde_json::from_str::<Attachment>(&json.replace("image/png", "message/rfc822")).is_err());
    }
}
