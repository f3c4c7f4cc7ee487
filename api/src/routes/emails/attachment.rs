//! Files that travel with an email.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use job::FieldError;
use mail::{Attachment, MessageError};
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use utoipa::ToSchema;

/// The most files of one email.
const MOST: usize = 20;
/// The most bytes of one file, and of all of an email together.
const LARGEST: usize = 5 << 20;

/// A file. At most 20, together at most 5 MiB.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttachmentBody {
    /// Its name, without a path.
    #[schema(example = "invoice.pdf")]
    filename: Option<String>,
    /// Its bytes in base64, or as a list of numbers, or as a Buffer of Node writes itself: what SDKs send.
    #[schema(value_type = Option<String>)]
    content: Option<Content>,
    /// Its type; told from the name unless given.
    #[schema(example = "application/pdf")]
    content_type: Option<String>,
    /// Shown in the HTML as `<img src="cid:…">`, in place of being listed.
    content_id: Option<String>,
    /// Not possible: files are not fetched.
    path: Option<String>,
}

/// Bytes in JSON.
#[derive(Debug)]
enum Content {
    /// In base64.
    Text(String),
    /// As they are.
    Bytes(Vec<u8>),
}

impl Content {
    fn bytes(self) -> Option<Vec<u8>> {
        match self {
            // Encoders of old break their lines (RFC 2045 §6.8).
            Self::Text(mut text) => {
                text.retain(|c| !c.is_ascii_whitespace());
                STANDARD.decode(text).ok()
            }
            Self::Bytes(bytes) => Some(bytes),
        }
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl<'de> Visitor<'de> for Written {
            type Value = Content;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the bytes in base64, or a list of numbers from 0 to 255")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Content, E> {
                Ok(Content::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Content, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = list.next_element()? {
                    bytes.push(byte);
                }
                Ok(Content::Bytes(bytes))
            }

            /// `{"type": "Buffer", "data": [1, 2]}`.
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
                let mut data = None;
                while let Some(member) = map.next_key::<String>()? {
                    match member.as_str() {
                        "data" => data = Some(map.next_value()?),
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                data.map(Content::Bytes).ok_or_else(|| A::Error::missing_field("data"))
            }
        }

        deserializer.deserialize_any(Written)
    }
}

/// The files, checked.
pub(super) fn attachments(written: Vec<AttachmentBody>, wrong: &mut Vec<FieldError>) -> Vec<Attachment> {
    if written.len() > MOST {
        wrong.push(FieldError::new("attachments", format!("at most {MOST} files are allowed")));
        return Vec::new();
    }
    let mut all: Vec<Attachment> = Vec::with_capacity(written.len());
    let mut total = 0;
    for (index, file) in written.into_iter().enumerate() {
        let at = |field: &str| format!("attachments[{index}].{field}");
        if file.path.is_some() {
            wrong.push(FieldError::new(at("path"), "files are not fetched: send the content"));
            continue;
        }
        let Some(bytes) = file.content.and_then(Content::bytes) else {
            wrong.push(FieldError::new(at("content"), "the bytes in base64 are expected"));
            continue;
        };
        total += bytes.len();
        let name = file.filename.unwrap_or_else(|| format!("attachment-{}", index + 1));
        let kind = file.content_type.unwrap_or_else(|| type_of(&name).to_owned());
        let read = match &file.content_id {
            Some(id) => Attachment::inline(id, &name, &kind, bytes),
            None => Attachment::new(&name, &kind, bytes),
        };
        match read {
            Ok(attachment)
                if attachment.content_id().is_some_and(|id| all.iter().any(|a| a.content_id() == Some(id))) =>
            {
                wrong.push(FieldError::new(at("content_id"), "is that of another file: the HTML could mean either"));
            }
            Ok(attachment) => all.push(attachment),
            Err(error) => {
                let field = match &error {
                    MessageError::Attachment("type") => "content_type",
                    MessageError::Attachment("content id") => "content_id",
                    _ => "filename",
                };
                wrong.push(FieldError::new(at(field), error.to_string()));
            }
        }
    }
    if total > LARGEST {
        wrong.push(FieldError::new("attachments", format!("at most {LARGEST} bytes are allowed, all files together")));
    }
    all
}

/// The usual types; anything else is bytes.
fn type_of(name: &str) -> &'static str {
    let end = name.rsplit_once('.').map_or("", |(_, end)| end).to_ascii_lowercase();
    match end.as_str() {
        "pdf" => "application/pdf",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "svg" => "image/svg+xml",
        "txt" | "log" => "text/plain; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "html" | "htm" => "text/html; charset=utf-8",
        "ics" => "text/calendar; charset=utf-8",
        "json" => "application/json",
        "zip" => "application/zip",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str) -> Result<Option<Vec<u8>>, serde_json::Error> {
        let file: AttachmentBody = serde_json::from_str(&format!("{{\"content\": {content}}}"))?;
        Ok(file.content.and_then(Content::bytes))
    }

    #[test]
    fn bytes_come_as_every_sdk_writes_them() {
        for content in [r#""aGk=""#, "[104, 105]", r#"{"type": "Buffer", "data": [104, 105]}"#] {
            assert_eq!(read(content).unwrap().unwrap(), b"hi", "{content}");
        }
        assert_eq!(read("null").unwrap(), None);
        assert_eq!(read("\"%\"").unwrap(), None);
        for bad in ["[256]", "[-1]", "[1.5]", "[\"a\"]", "{}", "7", r#"{"data": "aGk="}"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
