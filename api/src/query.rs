//! Reading what is in the URL, as strictly as a body: an unknown query parameter is refused by name, a value that makes
//! no sense too.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::error::{ApiError, Fault};
use crate::plain::plain;

/// The query parameters. Take what the route knows, then [`Params::end`].
#[derive(Debug)]
pub struct Params(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|e| ApiError::new(Fault::BadRequest, format!("The query is not readable: {e}.")))?;
        Ok(Self(pairs.0))
    }
}

impl Params {
    /// The value of `name`; `None` if it is absent or empty. Errors: 422 if it is there twice.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        let mut found = None;
        let mut twice = false;
        self.0.retain_mut(|(key, value)| {
            let ours = key == name;
            if ours {
                twice |= found.is_some();
                found = Some(std::mem::take(value));
            }
            !ours
        });
        if twice { Err(ApiError::invalid(name, "given more than once")) } else { Ok(found.filter(|v| !v.is_empty())) }
    }

    /// All values of a name that may be there several times.
    pub fn all(&mut self, name: &str) -> Vec<String> {
        let taken = self.0.extract_if(.., |(key, _)| key == name);
        taken.map(|(_, value)| value).filter(|value| !value.is_empty()).collect()
    }

    /// The value of `name`, parsed.
    pub fn parsed<T>(&mut self, name: &str) -> Result<Option<T>, ApiError>
    where
        T: FromStr,
        T::Err: Display,
    {
        let refuse = |e: T::Err| ApiError::invalid(name, plain(&e.to_string()).chars().take(400).collect::<String>());
        self.text(name)?.map(|text| text.parse().map_err(refuse)).transpose()
    }

    /// Where to go on in a list, and how many to show: `limit` 1 to 1,000 (50 unless said), `cursor` as given out.
    pub fn page(&mut self) -> Result<(u32, Option<String>), ApiError> {
        let limit = match self.text("limit")? {
            None => 50,
            Some(text) => match text.parse::<u32>() {
                Ok(limit @ 1..=1_000) => limit,
                _ => return Err(ApiError::invalid("limit", "a number from 1 to 1000 is expected")),
            },
        };
        let cursor = self.text("cursor")?;
        if cursor.as_ref().is_some_and(|c| c.len() > 500 || c.chars().any(char::is_control)) {
            return Err(ApiError::invalid("cursor", "not a cursor that this list gave out"));
        }
        Ok((limit, cursor))
    }

    /// Refuses what was not taken.
    pub fn end(self) -> Result<(), ApiError> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => {
                let name: String = name.chars().take(100).collect();
                Err(ApiError::invalid(name, "not a parameter of this call"))
            }
        }
    }
}

/// The variable part of a path. 404 if it does not read as a `T`: nothing can be there.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(e) if e.status().is_server_error() => Err(ApiError::internal(e)),
            Err(_) => Err(ApiError::not_found("Nothing can have this name.")),
        }
    }
}
