//! Files that travel with an email.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use job::FieldError;
use mail::{Attachment, MessageError};
use serde::Deserialize;
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
    /// Its bytes in base64.
    content: Option<String>,
    /// Its type; told from the name unless given.
    #[schema(example = "application/pdf")]
    content_type: Option<String>,
    /// Shown in the HTML as `<img src="cid:…">`, in place of being listed.
    content_id: Option<String>,
    /// Not possible: files are not fetched.
    path: Option<String>,
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
        let Some(bytes) = file.content.as_deref().and_then(|content| STANDARD.decode(content.trim()).ok()) else {
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
