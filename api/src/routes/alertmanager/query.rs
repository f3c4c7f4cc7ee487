//! The query of Alertmanager's lists: switches, matchers, a receiver.

use alerting::{Labels, Matcher, Op, all_match, parse_list};
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

use crate::error::{ApiError, Fault};

/// The most matchers in one query.
const MOST: usize = 100;

/// The query as it was sent.
#[derive(Debug)]
pub struct Asked(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|e| ApiError::new(Fault::BadRequest, format!("The query is not readable: {e}.")))?;
        Ok(Self(pairs.0))
    }
}

impl Asked {
    /// A switch; on unless said otherwise.
    pub fn switch(&self, name: &str) -> Result<bool, ApiError> {
        match self.last(name) {
            None | Some("") => Ok(true),
            Some(text) => text.parse().map_err(|_| ApiError::invalid(name, "true or false is expected")),
        }
    }

    /// All matchers under `name`, which may be given several times.
    pub fn matchers(&self, name: &str) -> Result<Vec<Matcher>, ApiError> {
        let mut all = Vec::new();
        for (_, text) in self.0.iter().filter(|(key, _)| key == name) {
            all.extend(parse_list(text).map_err(|e| ApiError::invalid(name, e.to_string()))?);
            if all.len() > MOST {
                return Err(ApiError::invalid(name, format!("more than {MOST} matchers")));
            }
        }
        Ok(all)
    }

    /// Which receivers are asked for: a regular expression, and matchers of their labels. Ours have none.
    pub fn receivers(&self) -> Result<Receivers, ApiError> {
        let pattern = self.last("receiver").filter(|text| !text.is_empty());
        let named = pattern.map(|text| Matcher::new("receiver", Op::Regex, text));
        let named = named.transpose().map_err(|e| ApiError::invalid("receiver", e.to_string()))?;
        Ok(Receivers { named, none: !all_match(&self.matchers("receiver_matchers")?, &Labels::new()) })
    }

    fn last(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Which receivers are asked for.
#[derive(Debug)]
pub struct Receivers {
    named: Option<Matcher>,
    none: bool,
}

impl Receivers {
    /// Whether a receiver is asked for.
    pub fn wants(&self, name: &str) -> bool {
        !self.none && self.named.as_ref().is_none_or(|matcher| matcher.matches_value(name))
    }
}
