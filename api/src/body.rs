//! Reading a body: bounded, in time, JSON in UTF-8, and with the place of whatever is wrong.
//!
//! 1. `Content-Type` must be JSON (415), the length within the route's limit (413).
//! 2. The bytes must be UTF-8 and JSON (400, with line and column).
//! 3. The JSON must fit the type (422, with the path of the field). The path is looked for only after parsing failed:
//!    the good case is parsed once, without book-keeping.
//! 4. No object may have a member twice (422, with its path), however free its shape is.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Query, Request};
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;
use tokio::time::timeout;

use crate::error::{ApiError, Fault};
use crate::exact::repeated_member;
use crate::object::Object;
use crate::plain::plain;
use crate::state::State;

/// The most that is set aside for a body on the word of its `Content-Length` alone.
const TRUSTED_LENGTH: usize = 64 << 10;

/// The body of a call, UTF-8, at most `body_limit` bytes.
#[derive(Debug)]
pub struct Text(pub String);

/// The body of a call that needs none: `None` if it is empty, whatever its type.
#[derive(Debug)]
pub struct OptionalText(pub Option<String>);

impl FromRequest<State> for OptionalText {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &State) -> Result<Self, ApiError> {
        if request.body().is_end_stream() {
            return Ok(Self(None));
        }
        let text = read(request, state.settings.body_limit, state.settings.request_timeout).await?;
        Ok(Self(Some(text).filter(|text| !text.is_empty())))
    }
}

/// The body of a batch, UTF-8, at most `batch_body_limit` bytes.
#[derive(Debug)]
pub struct BatchText(pub String);

impl FromRequest<State> for Text {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &State) -> Result<Self, ApiError> {
        read(request, state.settings.body_limit, state.settings.request_timeout).await.map(Self)
    }
}

impl FromRequest<State> for BatchText {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &State) -> Result<Self, ApiError> {
        read(request, state.settings.batch_body_limit, state.settings.request_timeout).await.map(Self)
    }
}

/// The body as it came, whatever it is, at most `batch_body_limit` bytes: a mail as a server received it.
#[derive(Debug)]
pub struct Raw(pub Vec<u8>);

impl FromRequest<State> for Raw {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &State) -> Result<Self, ApiError> {
        bytes(request, state.settings.batch_body_limit, state.settings.request_timeout).await.map(Self)
    }
}

/// The most bytes of a form: a page of ours and mail programs send a few dozen.
const LARGEST_FORM: usize = 16 << 10;

/// The fields of a form (`application/x-www-form-urlencoded`), in their order; none for anything else.
#[derive(Debug)]
pub struct Form(pub Vec<(String, String)>);

impl FromRequest<State> for Form {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &State) -> Result<Self, ApiError> {
        let sent = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("").to_owned();
        let bytes = bytes(request, LARGEST_FORM, state.settings.request_timeout).await?;
        if !sent.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
            return Ok(Self(Vec::new()));
        }
        // A form is written like a query.
        let query = format!("/?{}", String::from_utf8_lossy(&bytes));
        let fields = query.parse().ok().and_then(|uri| Query::<Vec<(String, String)>>::try_from_uri(&uri).ok());
        Ok(Self(fields.map(|fields| fields.0).unwrap_or_default()))
    }
}

async fn read(request: Request, limit: usize, patience: Duration) -> Result<String, ApiError> {
    must_be_json(request.headers())?;
    let bytes = bytes(request, limit, patience).await?;
    String::from_utf8(bytes).map_err(|e| not_utf8(e.as_bytes(), e.utf8_error().valid_up_to()))
}

async fn bytes(request: Request, limit: usize, patience: Duration) -> Result<Vec<u8>, ApiError> {
    let (head, mut body) = request.into_parts();
    let declared = head.headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    // A little sooner than the request's own limit, so that a slow client is told that it was slow.
    let patience = patience.mul_f32(0.9);
    let read = timeout(patience, collect(&mut body, declared.unwrap_or(0), limit)).await;
    let slow = |_| ApiError::new(Fault::Slow, format!("The body was not complete after {} s.", patience.as_secs()));
    read.map_err(slow)?
}

async fn collect(body: &mut Body, declared: usize, limit: usize) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::with_capacity(declared.min(TRUSTED_LENGTH));
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|_| ApiError::new(Fault::Malformed, "The body broke off.").field("body", "not complete"))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > limit {
            return Err(too_large(limit));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

fn too_large(limit: usize) -> ApiError {
    let message = format!("larger than {limit} bytes");
    ApiError::new(Fault::TooLarge, format!("The body is {message}.")).field("body", message)
}

fn must_be_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    let essence = sent.split(';').next().unwrap_or("").trim();
    let subtype = essence.get(..12).filter(|start| start.eq_ignore_ascii_case("application/")).map(|_| &essence[12..]);
    let json = subtype.is_some_and(|s| s.eq_ignore_ascii_case("json") || s.to_ascii_lowercase().ends_with("+json"));
    if json {
        return Ok(());
    }
    let message = "application/json is expected";
    Err(ApiError::new(Fault::MediaType, format!("Content-Type: {message}.")).field("Content-Type", message))
}

fn not_utf8(bytes: &[u8], at: usize) -> ApiError {
    let before = &bytes[..at];
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let column = at - before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1) + 1;
    let message = format!("not UTF-8 at line {line} column {column}");
    let field = path_to_offset(before).unwrap_or_else(|| "body".to_owned());
    ApiError::new(Fault::Malformed, format!("The body is {message}.")).field(field, message)
}

/// Reads `text` as a `T`, which must be an object: 400 with line and column, or 422 with the path of the field.
pub fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, ApiError> {
    let value = parse_shape(text)?;
    match repeated_member(text) {
        None => Ok(value),
        Some(at) => {
            let field = path_to_offset(&text.as_bytes()[..at]).unwrap_or_else(|| "body".to_owned());
            Err(ApiError::invalid(field, "stands twice in its object"))
        }
    }
}

/// The same, for a list around parts that are read with [`parse`] one by one.
pub fn parse_shape<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, ApiError> {
    let mut json = serde_json::Deserializer::from_str(text);
    match Object::deserialize(&mut json).and_then(|Object(value)| json.end().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(error) => Err(explain::<T>(text, &error)),
    }
}

/// Reads `text` as a list whose items are read one by one: 400 with line and column, or 422.
pub fn parse_list(text: &str) -> Result<Vec<&RawValue>, ApiError> {
    serde_json::from_str(text).map_err(|error| match error.classify() {
        Category::Data => ApiError::invalid("body", "a list is expected"),
        _ => {
            ApiError::new(Fault::Malformed, format!("The body is not JSON: {error}.")).field("body", error.to_string())
        }
    })
}

fn explain<'a, T: Deserialize<'a>>(text: &'a str, error: &serde_json::Error) -> ApiError {
    let mut json = serde_json::Deserializer::from_str(text);
    let path = match serde_path_to_error::deserialize::<_, Object<T>>(&mut json) {
        Ok(_) => String::new(),
        Err(e) => Some(e.path().to_string()).filter(|path| path != ".").unwrap_or_default(),
    };
    let said = error.to_string();
    let (what, place) = match said.rsplit_once(" at line ") {
        Some((what, place)) => (what, format!("line {place}")),
        None => (said.as_str(), String::new()),
    };
    if text.trim().is_empty() {
        return ApiError::new(Fault::Malformed, "The body is empty.").field("body", "JSON is expected");
    }
    if error.classify() != Category::Data {
        // What was read up to the break tells best where it was.
        let field = if path.is_empty() { "body".to_owned() } else { path };
        return ApiError::new(Fault::Malformed, format!("The body is not JSON: {what} at {place}."))
            .field(field, format!("{what} at {place}"));
    }
    let field = field_of(&path, what);
    let message: String = plain(what).chars().take(400).collect();
    ApiError::new(Fault::Invalid, format!("{field}: {message} ({place})")).field(field, message)
}

/// The whole path of the field that `message` is about: serde names the field in its message where the path ends at its
/// parent.
pub(crate) fn field_of(path: &str, message: &str) -> String {
    let named = ["missing field `", "unknown field `", "duplicate field `"]
        .iter()
        .find_map(|start| message.strip_prefix(start)?.split('`').next())
        .map(|name| name.chars().take(100).collect::<String>());
    match named {
        Some(name) if path.is_empty() => name,
        Some(name) if path == name || path.ends_with(&format!(".{name}")) => path.to_owned(),
        Some(name) => format!("{path}.{name}"),
        None if path.is_empty() => "body".to_owned(),
        None => path.to_owned(),
    }
}

/// The path of the member that is being written where `json` breaks off; `None` outside any.
fn path_to_offset(json: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(json).ok()?;
    let mut steps: Vec<Step> = Vec::new();
    let (mut in_string, mut escaped, mut start) = (false, false, 0);
    let mut last_string = "";
    for (i, c) in text.char_indices() {
        match (in_string, c) {
            (true, _) if escaped => escaped = false,
            (true, '\\') => escaped = true,
            (true, '"') => (in_string, last_string) = (false, &text[start..i]),
            (true, _) => {}
            (false, '"') => (in_string, start) = (true, i + 1),
            (false, '{') => steps.push(Step::Member("")),
            (false, '[') => steps.push(Step::Index(0)),
            (false, '}' | ']') => drop(steps.pop()),
            (false, ':') => {
                if let Some(Step::Member(name)) = steps.last_mut() {
                    *name = last_string;
                }
            }
            (false, ',') => match steps.last_mut() {
                Some(Step::Index(n)) => *n += 1,
                Some(Step::Member(name)) => *name = "",
                None => {}
            },
            (false, _) => {}
        }
    }
    let mut path = String::new();
    for step in steps.iter().take(16) {
        match step {
            Step::Member("") => break,
            Step::Member(name) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.extend(name.chars().take(100));
            }
            Step::Index(n) => path.push_str(&format!("[{n}]")),
        }
    }
    (!path.is_empty()).then_some(path)
}

enum Step<'a> {
    Member(&'a str),
    Index(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer<'a> {
        #[serde(borrow)]
        #[expect(dead_code, reason = "read by nobody: the shape is what counts")]
        args: Option<&'a RawValue>,
        #[expect(dead_code, reason = "read by nobody: the shape is what counts")]
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "read by nobody: the shape is what counts")]
        n: u8,
    }

    fn refused(text: &str) -> (u16, String, String) {
        let problem = parse::<Outer<'_>>(text).unwrap_err().problem();
        (problem.status, problem.errors[0].field.clone(), problem.detail)
    }

    #[test]
    fn a_wrong_field_is_named_by_its_path() {
        for (text, field) in [
            (r#"{"inner":{"n":"x"}}"#, "inner.n"),
            (r#"{"inner":{"n":300}}"#, "inner.n"),
            (r#"{"inner":{"m":1,"n":1}}"#, "inner.m"),
            (r#"{"inner":{}}"#, "inner.n"),
            (r#"{"inner":{"n":1,"n":2}}"#, "inner.n"),
            (r#"{"nope":1}"#, "nope"),
            (r#"[1]"#, "body"),
        ] {
            let (status, named, detail) = refused(text);
            assert_eq!((status, named.as_str()), (422, field), "{text}: {detail}");
        }
    }

    #[test]
    fn what_is_no_json_is_placed_by_line_and_column() {
        for text in ["{\n  \"args\": }", "{\"args\": {\n", "nope", "", "{} {}", "{\"inner\":{\"n\":1}"] {
            let (status, _, detail) = refused(text);
            assert_eq!(status, 400, "{text}");
            assert!(text.is_empty() || detail.contains("line "), "{detail}");
        }
        let deep = format!("{{\"inner\":{}", "[".repeat(100_000));
        assert!([400, 422].contains(&refused(&deep).0));
    }

    #[test]
    fn bad_utf_8_is_placed_and_its_field_named() {
        let error = not_utf8(b"{\"kind\":\"a\",\n\"tags\":[\"x\",\"\xff\"]}", 26).problem();
        assert_eq!(error.status, 400);
        assert_eq!(error.errors[0].field, "tags[1]");
        assert!(error.detail.contains("line 2 column 14"), "{}", error.detail);
    }
}
