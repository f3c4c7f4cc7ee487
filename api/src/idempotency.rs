//! `Idempotency-Key`: a repeated request is recognised for 24 hours, and a different one under the same key is refused.
//!
//! The queue keeps the key with the SHA-256 of the payload's canonical form ([`digest_of`]) and the job id that was
//! reserved for it, before anything is enqueued. Who repeats a request gets that id, whatever became of the first try.

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::error::{ApiError, Fault};
use crate::exact::canonical;

/// The header's name, as in the answers.
pub const HEADER: &str = "Idempotency-Key";
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

/// SHA-256 of the canonical form of a payload ([`canonical`]). Two texts of the same JSON have the same digest; numbers are
/// compared as they are written. `json` is JSON without a member that stands twice: [`crate::body::parse`] has seen to it.
#[must_use]
pub fn digest_of(json: &str) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, canonical(json).as_bytes()).as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_the_order_of_members_do_not_matter_but_content_does() {
        let first = digest_of(r#"{"kind":"debug.noop","args":{"b":[1,2],"a":"é"}}"#);
        assert_eq!(first, digest_of("{ \"args\": {\"a\": \"\\u00e9\", \"b\": [1, 2]},\n \"kind\": \"debug.noop\" }"));
        assert_ne!(first, digest_of(r#"{"kind":"debug.noop","args":{"b":[2,1],"a":"é"}}"#));
        assert_ne!(digest_of(r#"{"a":"1"}"#), digest_of(r#"{"a":1}"#));
    }

    #[test]
    fn numbers_that_no_machine_tells_apart_are_told_apart() {
        let of = |n: &str| digest_of(&format!(r#"{{"kind":"debug.noop","args":{{"n":{n}}}}}"#));
        assert_ne!(of("18446744073709551617"), of("18446744073709551618"));
        assert_ne!(of("0.1"), of("0.1000000000000000055511151231257827"));
        assert_eq!(of("18446744073709551617"), of(" 18446744073709551617 "));
    }
}
