//! `Idempotency-Key`: a repeated request is recognised for 24 hours, and a different one under the same key is refused.
//!
//! The queue keeps the key with the SHA-256 of the payload's canonical form ([`digest_of`]) and the job id that was
//! reserved for it, before anything is enqueued. Who repeats a request gets that id, whatever became of the first try.

use aws_lc_rs::digest::{Context, SHA256};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde_json::Value;

use crate::error::{ApiError, Fault};

/// The header's name, as in the answers.
const HEADER: &str = "Idempotency-Key";
/// The longest key.
const LONGEST: usize = 255;

/// The key of the request, if it has one: 1 to 255 visible ASCII characters.
#[derive(Debug)]
pub struct IdempotencyKey(pub Option<String>);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let mut values = parts.headers.get_all("idempotency-key").iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        let key = value.to_str().ok().map(str::trim);
        match key {
            Some(key) if !key.is_empty() && key.len() <= LONGEST && values.next().is_none() => {
                Ok(Self(Some(key.to_owned())))
            }
            _ => {
                let message = "one value of 1 to 255 visible ASCII characters is expected";
                Err(ApiError::new(Fault::BadRequest, format!("{HEADER}: {message}.")).field(HEADER, message))
            }
        }
    }
}

/// 409: the key is taken by another payload.
pub fn conflict() -> ApiError {
    let message = "was used for another payload within the last 24 hours";
    ApiError::conflict(format!("This {HEADER} {message}.")).field(HEADER, message)
}

/// SHA-256 of the canonical form of a payload: no white space, the members of objects in the order of their names. Two
/// texts of the same JSON have the same digest.
#[must_use]
pub fn digest_of(payload: &Value) -> [u8; 32] {
    let mut text = String::new();
    canonical(payload, &mut text);
    let mut context = Context::new(&SHA256);
    context.update(text.as_bytes());
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            // Sorted here: whether the map keeps an order of its own depends on how serde_json was built.
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            out.push('{');
            for (i, (name, value)) in members.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                canonical(item, out);
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> [u8; 32] {
        digest_of(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn white_space_and_the_order_of_members_do_not_matter_but_content_does() {
        let first = digest(r#"{"kind":"debug.noop","args":{"b":[1,2],"a":"é"}}"#);
        assert_eq!(first, digest("{ \"args\": {\"a\": \"\\u00e9\", \"b\": [1, 2]},\n \"kind\": \"debug.noop\" }"));
        assert_ne!(first, digest(r#"{"kind":"debug.noop","args":{"b":[2,1],"a":"é"}}"#));
        assert_ne!(digest(r#"{"a":"1"}"#), digest(r#"{"a":1}"#));
    }
}
