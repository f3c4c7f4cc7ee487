//! Who looks at a page of ours in a browser.
//!
//! A browser cannot be told to send a bearer key, but it asks its user for a name and a password where the server wants
//! them (HTTP Basic, RFC 7617), and keeps them for as long as it is open. So a page takes a key as the password, whatever
//! the name. Nothing is set as a cookie, and no call that changes anything takes a key this way: a foreign page that leads a
//! browser here can read nothing and do nothing.
//!
//! In `postrider dev`, which only this machine can reach, the pages are open.

use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Caller, Need, presented};
use crate::state::State;

/// Asks a browser for a name and a password.
const ASK: &str = r#"Basic realm="Postrider: any name, and an API key as the password", charset="UTF-8""#;

/// Somebody whose key allows what `N` stands for; in `postrider dev` anybody.
#[derive(Debug)]
pub struct Reader<N>(PhantomData<fn() -> N>);

impl<N: Need> FromRequestParts<State> for Reader<N> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Response> {
        if state.dev.is_some() {
            return Ok(Self(PhantomData));
        }
        let caller = match password(parts) {
            Some(key) => Caller::<N>::of(&key, state).await,
            None => match presented(parts) {
                Ok(key) => Caller::<N>::of(key, state).await,
                Err(error) => Err(error),
            },
        };
        caller.map(|_| Self(PhantomData)).map_err(|error| {
            let mut refusal = error.into_response();
            if refusal.status() == StatusCode::UNAUTHORIZED {
                refusal.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(ASK));
            }
            refusal
        })
    }
}

/// The password of HTTP Basic.
fn password(parts: &Parts) -> Option<String> {
    let (scheme, given) = parts.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(given.trim()).ok()?).ok()?;
    pair.split_once(':').map(|(_, password)| password.to_owned())
}
